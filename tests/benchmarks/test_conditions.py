from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evit_deploy.benchmarks.conditions import busiest, conditions, shares, watch
from tests.machines import cpu, write_tree

FIRST = min(os.sched_getaffinity(0))


def test_readings_of_this_machine_are_plain_json() -> None:
    readings = json.loads(json.dumps(conditions()))
    assert [core["core"] for core in readings["cores"]] == sorted(os.sched_getaffinity(0))
    assert 0 <= readings["busy"] <= 1
    assert readings["memory"]["available_bytes"] > 0


def test_readings_of_a_laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    root = write_tree(
        tmp_path,
        {
            **cpu(FIRST, cpufreq__scaling_governor="powersave", cpufreq__scaling_min_freq=400000),
            **cpu(FIRST, cpufreq__scaling_max_freq=3000000, topology__thread_siblings_list="0,4"),
            **cpu(FIRST, cpufreq__scaling_available_governors="performance powersave"),
            "sys/devices/system/cpu/intel_pstate/no_turbo": 0,
            "sys/devices/system/cpu/smt/active": 1,
            "sys/fs/cgroup/cpu.max": "150000 100000",
            **{f"{zone}/type": "x86_pkg_temp", f"{zone}/temp": 71000},
            **{f"{zone}/trip_point_0_type": "active", f"{zone}/trip_point_0_temp": 50000},
            **{f"{zone}/trip_point_1_type": "passive", f"{zone}/trip_point_1_temp": 95000},
            **{f"{zone}/trip_point_2_type": "critical", f"{zone}/trip_point_2_temp": 105000},
            "proc/meminfo": "MemAvailable: 1000 kB\nSwapTotal: 900 kB\nSwapFree: 400 kB\nHugePages_Total: 0",
            "sys/class/power_supply/BAT0/type": "Battery",
            "sys/class/power_supply/BAT0/status": "Discharging",
            "sys/firmware/acpi/platform_profile": "low-power",
        },
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {FIRST})
    readings = conditions(root)
    assert readings["cores"] == [
        {
            **{"core": FIRST, "governor": "powersave", "governors": ["performance", "powersave"]},
            **{"lowest_khz": 400000, "highest_khz": 3000000, "siblings": "0,4"},
        }
    ]
    assert (readings["boost"], readings["no_turbo"], readings["smt"]) == (None, 0, 1)
    assert readings["quota_cores"] == 1.5
    assert readings["zones"] == [{"zone": "x86_pkg_temp", "temperature_c": 71.0, "limit_c": 95.0}]
    assert readings["memory"] == {"available_bytes": 1000 * 1024, "swap_used_bytes": 500 * 1024}
    assert readings["supplies"] == [{"type": "Battery", "status": "Discharging"}]
    assert readings["platform_profile"] == "low-power"
    assert readings["busy"] is None


def test_shares_of_the_time_that_passed() -> None:
    before, after = [0] * 8, [30, 0, 10, 50, 0, 0, 0, 10]
    assert shares(before, after) == {"busy": 0.5, "steal": 0.1}
    assert shares(before, before) == {"busy": None, "steal": None}
    assert shares([], []) == {"busy": None, "steal": None}


def test_the_busiest_processes_come_first() -> None:
    before = {(1, "init"): 5, (2, "a"): 10, (3, "b"): 0, (5, "gone"): 3}
    after = {(1, "init"): 5, (2, "a"): 20, (3, "b"): 90, (4, "new"): 50}
    assert busiest(before, after, 100.0) == [
        {"pid": 3, "name": "b", "cores": 0.9},
        {"pid": 2, "name": "a", "cores": 0.1},
    ]


def test_a_process_that_keeps_a_core_busy_is_seen() -> None:
    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            seen = watch(seconds=0.5)
            assert seen["busy"] > 0
            # Other processes may be busier, so it need not be among the first three.
            assert all(entry["cores"] <= 64 for entry in seen["busiest"])
        finally:
            process.kill()

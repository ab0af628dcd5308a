"""States read from fabricated machines, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from machines import cpu, write_tree

from evit_deploy.benchmarks.state import context_switches, machine_state
from evit_deploy.benchmarks.throttle import throttling

PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
COOLING = "sys/class/thermal/cooling_device0"
COOL = {
    **cpu(2, cpufreq__scaling_governor="performance", cpufreq__scaling_cur_freq=2_400_000),
    **cpu(2, cpufreq__scaling_max_freq=2_400_000, thermal_throttle__core_throttle_count=7),
    **{PI: "0", f"{COOLING}/type": "cpufreq-cpu0", f"{COOLING}/cur_state": 0},
    "sys/class/thermal/cooling_device1/type": "fan",
    "sys/class/thermal/cooling_device1/cur_state": 3,
    "sys/class/thermal/thermal_zone0/temp": 41_500,
    "sys/class/thermal/thermal_zone1/temp": 65_250,
    "proc/stat": "cpu  1 2 3 4 5 6 7 900 0 0\ncpu1 1 2 3 4 5 6 7 50 0 0\ncpu2 1 2 3 4 5 6 7 200 0 0",
}


def launch(root: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """A launch during which some files changed."""
    before = machine_state([2], write_tree(root, COOL))
    return {"before": before, "after": machine_state([2], write_tree(root, changes))}


def test_state(tmp_path: Path) -> None:
    state = json.loads(json.dumps(machine_state([2], write_tree(tmp_path, COOL))))
    assert state.pop("load_average") >= 0
    assert state == {
        "governor": {"2": "performance"},
        "khz": {"2": 2_400_000},
        "limit_khz": {"2": 2_400_000},
        "temperature_c": 65.25,
        "throttle": {"core_count": 7, "cooling": {"cooling_device0 (cpufreq-cpu0)": 0}, "firmware": 0},
        "steal_s": 2.0,
    }


def test_a_machine_that_tells_nothing_is_not_throttled(tmp_path: Path) -> None:
    state = machine_state([0], tmp_path)
    assert (state["temperature_c"], state["steal_s"], state["khz"]) == (None, None, {"0": None})
    assert throttling({"before": state, "after": state}) == []
    assert throttling({}) == []


def test_this_machine() -> None:
    assert set(machine_state([0])["governor"]) == {"0"}
    assert context_switches()["involuntary"] >= 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (cpu(2, cpufreq__scaling_cur_freq=1_800_000), "core 2 runs at 1800 MHz, at first 2400"),
        (cpu(2, cpufreq__scaling_max_freq=1_500_000), "core 2 may run at 1500 MHz, at first 2400"),
        (cpu(2, thermal_throttle__core_throttle_count=9), "the kernel counted 2 throttlings"),
        ({f"{COOLING}/cur_state": 4}, "cooling_device0 (cpufreq-cpu0) slows it down (step 4)"),
        ({PI: "80008"}, "the firmware says that it is too hot"),
        ({PI: "0x50000"}, "the firmware says that its voltage is too low"),
    ],
)
def test_throttled(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert throttling(launch(tmp_path, changes))[0] == reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        cpu(2, cpufreq__scaling_cur_freq=2_300_000),
        {"sys/class/thermal/thermal_zone0/temp": 80_000},
        {"sys/class/thermal/cooling_device1/cur_state": 9},
    ],
)
def test_not_throttled(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert throttling(launch(tmp_path, changes)) == []


def test_what_the_firmware_saw_long_ago_does_not_count(tmp_path: Path) -> None:
    state = machine_state([2], write_tree(tmp_path, {PI: "50000"}))
    assert throttling({"before": state, "after": state}) == []
    assert throttling({"before": state, "after": {**state, "throttle": {"firmware": 0x50005}}})

"""Each finding, on conditions made by hand: a quiet machine, and what can be wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evit_deploy.benchmarks.conditions import conditions
from evit_deploy.benchmarks.doctor.advice import CHECKS, advise
from evit_deploy.benchmarks.doctor.finding import MEND, NOTE, OK, UNKNOWN, Finding

CORE = {
    **{"governor": "performance", "governors": ["performance", "ondemand"]},
    **{"lowest_khz": 2400000, "highest_khz": 2400000},
}
QUIET: dict[str, Any] = {
    "cores": [{**CORE, "core": number, "siblings": str(number)} for number in range(4)],
    **{"boost": 0, "no_turbo": None, "smt": 0, "quota_cores": None},
    "state": {"throttle": {"core_count": 0, "cooling": {"cooling_device0 (cpufreq-cpu0)": 0}, "firmware": 0}},
    "zones": [{"zone": "cpu-thermal", "temperature_c": 45.0, "limit_c": 80.0}],
    "memory": {"available_bytes": 7_000_000_000, "swap_used_bytes": 0},
    **{"supplies": [], "platform_profile": None, "hypervisor": None, "clock_source": "arch_sys_counter"},
    **{"telemetry_off": True, "runtimes": {"onnxruntime": "1.31.1"}},
    **{"busy": 0.01, "steal": 0.0, "busiest": []},
}


def finding(name: str, **changes: Any) -> Finding:
    (found,) = [f for f in advise({**QUIET, **changes}) if f.name == name]
    return found


def cores(**changes: Any) -> list[dict[str, Any]]:
    return [{**core, **changes} for core in QUIET["cores"]]


def test_a_quiet_machine_has_nothing_to_mend() -> None:
    findings = advise(QUIET)
    assert [f.state for f in findings] == [OK] * len(CHECKS)
    assert all(f.command is None and f.why is None for f in findings)


def test_the_machine_that_runs_the_tests_can_be_judged() -> None:
    findings = advise(json.loads(json.dumps(conditions())))
    assert len({f.name for f in findings}) == len(CHECKS)
    assert {f.state for f in findings} <= {OK, MEND, NOTE, UNKNOWN}


@pytest.mark.parametrize(
    ("name", "changes", "found", "command"),
    [
        ("governor", {"cores": cores(governor="ondemand")}, "ondemand on cores 0,1,2,3", "scaling_governor"),
        ("frequency", {"cores": cores(lowest_khz=1500000)}, "1500-2400 MHz", "scaling_min_freq"),
        ("turbo", {"boost": 1}, "on", "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"),
        ("turbo", {"boost": None, "no_turbo": 0}, "on", "intel_pstate/no_turbo"),
        ("siblings", {"smt": 1}, "several hardware threads", "smt/control"),
        ("siblings", {"cores": cores(siblings="0-1")}, "several hardware threads", "smt/control"),
        ("memory", {"memory": {"available_bytes": 1e9, "swap_used_bytes": 5e6}}, "5 MB in swap", "swapoff"),
        ("power", {"platform_profile": "low-power"}, "profile 'low-power'", "platform_profile"),
    ],
)
def test_what_root_can_mend(name: str, changes: dict[str, Any], found: str, command: str) -> None:
    seen = finding(name, **changes)
    assert (seen.state, seen.root) == (MEND, True)
    assert found in seen.found
    assert command in (seen.command or "")
    assert "sudo" in (seen.command or "")
    assert seen.why


@pytest.mark.parametrize(
    ("name", "changes", "found", "command"),
    [
        (
            "load",
            {"busy": 0.5, "busiest": [{"pid": 7, "name": "make", "cores": 1.95}]},
            "others use 50% of all cores; busiest, in cores: make (7) 1.95",
            "ps -o pid,user,etime,args -p 7",
        ),
        ("load", {"busy": 0.5}, "short-lived ones", "top"),
        ("cores", {"quota_cores": 1.5}, "4, of which this container may use 1.5", "docker update"),
        ("telemetry", {"telemetry_off": False}, "on", "export ORT_DISABLE_TELEMETRY=1"),
        ("runtimes", {"runtimes": {}}, "none", "pip install"),
    ],
)
def test_what_anybody_can_mend(name: str, changes: dict[str, Any], found: str, command: str) -> None:
    seen = finding(name, **changes)
    assert (seen.state, seen.root) == (MEND, False)
    assert found in seen.found
    assert command in (seen.command or "")


FIRMWARE = {"throttle": {"core_count": None, "cooling": {}, "firmware": 0x50005}}
COOLING = {
    "throttle": {"core_count": None, "cooling": {"cooling_device1 (cpufreq-cpu4)": 2}, "firmware": None}
}


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        ("governor", {"cores": cores(governor="schedutil", governors=["schedutil"])}, "does not offer"),
        (
            "temperature",
            {"zones": [{"zone": "cpu", "temperature_c": 74.6, "limit_c": 80.0}]},
            "75 C in cpu, 5",
        ),
        ("throttling", {"state": FIRMWARE}, "under-voltage, throttled"),
        ("throttling", {"state": COOLING}, "cooling_device1 (cpufreq-cpu4) at step 2"),
        ("virtual", {"hypervisor": "QEMU"}, "a virtual machine (QEMU); no time was stolen"),
        ("virtual", {"hypervisor": "QEMU", "steal": 0.03}, "the host took 3.0% of the time"),
        ("cores", {"cores": cores()[:2]}, "2"),
        ("memory", {"memory": {"available_bytes": 2e8, "swap_used_bytes": 0}}, "200 MB available"),
        ("power", {"supplies": [{"type": "Battery", "status": "Discharging"}]}, "on battery"),
        ("clock", {"clock_source": "hpet"}, "hpet"),
    ],
)
def test_what_no_command_mends(name: str, changes: dict[str, Any], found: str) -> None:
    seen = finding(name, **changes)
    assert seen.state == NOTE
    assert found in seen.found
    assert seen.why


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("governor", {"cores": cores(governor=None, governors=[])}),
        ("frequency", {"cores": cores(lowest_khz=None, highest_khz=None)}),
        ("turbo", {"boost": None}),
        ("load", {"busy": None}),
        ("temperature", {"zones": [{"zone": "battery", "temperature_c": 30.0, "limit_c": None}]}),
        ("throttling", {"state": {"throttle": {"core_count": 0, "cooling": {}, "firmware": None}}}),
        ("memory", {"memory": {}}),
        ("clock", {"clock_source": None}),
    ],
)
def test_what_cannot_be_seen_is_not_called_good(name: str, changes: dict[str, Any]) -> None:
    assert finding(name, **changes).state == UNKNOWN


def test_a_laptop_that_is_plugged_in() -> None:
    supplies = [{"type": "Battery", "status": "Full"}, {"type": "Mains", "status": None}]
    assert finding("power", supplies=supplies).state == OK

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from evit_deploy.benchmarks import environment, hardware, software
from tests.machines import cpu, cpuinfo, write_tree


def test_facts_are_plain_json_and_of_this_machine() -> None:
    facts = json.loads(json.dumps(environment.machine_facts()))
    assert facts["machine"] == platform.machine()
    assert facts["kernel"] == platform.release()
    assert facts["cpu_models"]
    assert [core["core"] for core in facts["cores"]] == sorted(os.sched_getaffinity(0))
    assert facts["memory_bytes"] > 1 << 20


def test_memory_of_this_process() -> None:
    peak, now = environment.memory_bytes("VmHWM"), environment.memory_bytes("VmRSS")
    assert peak is not None
    assert now is not None
    assert peak >= now > 1 << 20
    assert environment.memory_bytes("VmNothing") is None


def test_runtimes_have_versions_and_the_hashes_of_what_computes() -> None:
    found = software.runtimes()
    ort = found["onnxruntime"]
    assert ort["version"] == software.version_of("onnxruntime")
    assert any(name.startswith("libonnxruntime.so") for name in ort["libraries"])
    assert all(len(sha256) == 64 for sha256 in ort["libraries"].values())
    assert "libraries" not in software.runtimes(libraries=False)["onnxruntime"]
    assert software.version_of("no-such-distribution") is None


def test_libc(tmp_path: Path) -> None:
    assert software.libc({"ro.build.version.release": "14"}) == "bionic of Android 14"
    assert (software.libc({}) or "").startswith(("glibc", "musl"))


def test_a_board_with_a_device_tree(tmp_path: Path) -> None:
    """A Raspberry Pi 5."""
    root = write_tree(
        tmp_path,
        {
            **cpuinfo("0xd0b", "0xd0b"),
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
            "proc/meminfo": "MemTotal:        8256720 kB\nMemFree: 1 kB",
            **cpu(0, cpufreq__cpuinfo_min_freq=1500000, cpufreq__cpuinfo_max_freq=2400000, cpu_capacity=1024),
            **cpu(0, cpufreq__scaling_governor="ondemand", topology__thread_siblings_list="0"),
        },
    )
    assert hardware.board(root) == "Raspberry Pi 5 Model B Rev 1.0"
    assert hardware.soc({}, root) == {
        **{"name": "brcm,bcm2712", "compatible": ["raspberrypi,5-model-b", "brcm,bcm2712"]}
    }
    first, second = hardware.cores([0, 1], root)
    assert first == {
        **{"core": 0, "name": "Cortex-A76", "capacity": 1024, "min_khz": 1500000, "max_khz": 2400000},
        **{"governor": "ondemand", "siblings": "0"},
    }
    assert (second["name"], second["max_khz"], second["governor"]) == ("Cortex-A76", None, None)
    assert hardware.memory_total_bytes(root) == 8256720 * 1024
    assert hardware.hypervisor(root) is None


def test_a_phone_names_its_chip_by_properties(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"sys/devices/soc0/machine": "SM8450", "sys/devices/soc0/soc_id": "457"})
    assert hardware.soc({}, root)["name"] == "SM8450"
    properties = {"ro.soc.manufacturer": "QTI", "ro.soc.model": "SM8450", "ro.board.platform": "taro"}
    assert hardware.soc(properties, root)["name"] == "QTI SM8450"
    assert hardware.soc({"ro.board.platform": "taro"}, root)["name"] == "taro"


def test_virtual_machines(tmp_path: Path) -> None:
    cloud = write_tree(tmp_path / "a", {"sys/class/dmi/id/sys_vendor": "Amazon EC2"})
    assert hardware.hypervisor(cloud) == "Amazon EC2"
    nameless = write_tree(tmp_path / "b", {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu hypervisor"})
    assert hardware.hypervisor(nameless) == "unknown"
    desk = write_tree(tmp_path / "c", {"sys/class/dmi/id/sys_vendor": "Dell Inc."})
    assert hardware.hypervisor(desk) is None


def test_an_empty_machine_is_none_and_not_zero(tmp_path: Path) -> None:
    assert hardware.board(tmp_path) is None
    assert hardware.soc({}, tmp_path) == {"name": None, "compatible": []}
    assert hardware.memory_total_bytes(tmp_path) is None
    assert hardware.features(tmp_path) == []
    assert hardware.cores([0], tmp_path)[0]["name"] == "unknown"


def test_properties_of_android(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "getprop"
    script.write_text("#!/bin/sh\necho '[ro.soc.model]: [SM8450]'\necho '[empty]: []'\necho noise\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert hardware.android_properties() == {"ro.soc.model": "SM8450", "empty": ""}

"""What there is to say of an emulated device before it counts: what its figures are, and what moves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from evit_deploy.benchmarks.doctor.finding import NOTE, OK, Finding
from evit_deploy.devices.emulator import GUEST_WHEELS


def advise_emulated(facts: Mapping[str, Any]) -> list[Finding]:
    """Of the facts of an emulated device."""
    return [
        Finding(
            "figures",
            OK,
            "instructions of one inference, by class; not milliseconds",
            "this machine's load, frequency and temperature move none of them",
        ),
        Finding(
            "kernels",
            OK,
            f"those that runtimes choose for {', '.join(facts['cpu_models'])}",
            "another core has other features and gets other kernels: compare counts of one core only",
        ),
        Finding(
            "versions",
            OK,
            _versions(facts["emulator"]),
            "other versions count differently; they are in every result",
        ),
        Finding(
            "totals",
            NOTE,
            "repeat to 0.02 %; classes that only kernels execute repeat exactly",
            "locks and allocators of ONNX Runtime take a few thousand instructions more or less",
        ),
        Finding(
            "threads",
            NOTE,
            "one only; more are refused",
            "threads that wait for each other spin, and spinning is counted",
        ),
    ]


def advise_board(facts: Mapping[str, Any]) -> list[Finding]:
    """Of the facts of a whole emulated board."""
    return [
        Finding(
            "figures",
            OK,
            "instruction time of one inference: 1 ns is 1 instruction of the whole machine; not a latency",
            "this machine's load, frequency and temperature move it by nothing",
        ),
        Finding(
            "kernels",
            OK,
            f"those that runtimes choose for {', '.join(facts['cpu_models'])}",
            "another core has other features and gets other kernels: compare one core only",
        ),
        Finding(
            "versions",
            OK,
            f"{_versions(facts['emulator'])}, Linux {facts['kernel']}",
            "other versions take other times; they are in every result",
        ),
        Finding(
            "waiting",
            NOTE,
            "load and first run are not to be used",
            "they wait for the disk, and while the board waits its clock runs ahead",
        ),
        Finding("threads", NOTE, "one only; more are refused", "the board has one core"),
    ]


def _versions(stamp: Mapping[str, Any]) -> str:
    """Those that decide: the runtimes, numpy, and QEMU, whose package is named as in Debian."""
    wheels = [wheel.split("-")[:2] for wheel in stamp["wheels"]]
    wanted = [name.replace("-", "_") for name in GUEST_WHEELS]
    qemu = [package.split("_")[:2] for package in stamp["host"] if package.startswith("qemu")]
    found = [
        (name, version) for name, version in [*wheels, *qemu] if name in wanted or name.startswith("qemu")
    ]
    return ", ".join(f"{name} {unquote(version)}" for name, version in found)

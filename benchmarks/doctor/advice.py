"""What would spoil a measurement under given conditions, and the command that mends it. Judges only.

Nothing here changes anything: a command is text, to be read and run by whoever owns the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evit_deploy.benchmarks.doctor.finding import MEND, OK, Conditions, Finding
from evit_deploy.benchmarks.doctor.sharing import cores, load, memory, siblings, virtual
from evit_deploy.benchmarks.doctor.speed import (
    clock,
    frequency,
    governor,
    power,
    temperature,
    throttled,
    turbo,
)


def advise(conditions: Conditions) -> list[Finding]:
    """All findings, in the order of `CHECKS`."""
    return [check(conditions) for check in CHECKS]


def telemetry(conditions: Conditions) -> Finding:
    """ONNX Runtime's telemetry adds threads, sockets and files."""
    if conditions["telemetry_off"]:
        return Finding("telemetry", OK, "off in all that evit-bench starts")
    why = "ONNX Runtime 1.31 starts threads and opens sockets while it is measured"
    return Finding("telemetry", MEND, "on", why, "export ORT_DISABLE_TELEMETRY=1")


def runtimes(conditions: Conditions) -> Finding:
    """Figures of different versions are figures of different programs."""
    found = conditions["runtimes"]
    if not found:
        command = "pip install onnxruntime ai-edge-litert"
        return Finding("runtimes", MEND, "none", "nothing can be measured", command)
    return Finding("runtimes", OK, ", ".join(f"{name} {version}" for name, version in found.items()))


CHECKS: Sequence[Callable[[Conditions], Finding]] = (
    governor,
    frequency,
    turbo,
    load,
    temperature,
    throttled,
    virtual,
    cores,
    siblings,
    memory,
    power,
    clock,
    telemetry,
    runtimes,
)

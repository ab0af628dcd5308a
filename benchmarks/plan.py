"""How to measure: how many launches, how long, with what. And the job that it makes of an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evit_deploy.artifact import check_path, data_path
from evit_deploy.devices import Device
from evit_deploy.devices.base import INSTRUCTION_TIME
from evit_deploy.devices.local import LocalDevice
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes.options import DEFAULTS, RuntimeOptions, options_for


@dataclass(frozen=True)
class Plan:
    """How to measure. Times in seconds.

    A latency launch warms up for at least `warmup_runs` and `warmup_s`, then takes at least `runs` samples
    and `seconds`; after a throttled one there is a pause of `cool_s`. `count_launches` are those of an
    emulated device, whose counts hardly ever differ. How long one of instruction time is, is fixed: see
    INSTRUCTION_TIME_RUNS.
    """

    launches: int = 5
    count_launches: int = 1
    threads: int = 1
    cores: str = "auto"
    interpreter: str = "auto"
    options: RuntimeOptions = DEFAULTS
    warmup_runs: int = 5
    warmup_s: float = 0.5
    runs: int = 30
    seconds: float = 2.0
    seed: int = 0
    cool_s: float = 10.0

    def steps(self, devices: Sequence[Device], artifacts: int) -> int:
        """How many launches it will take: on a real device one more per artifact, for memory."""
        return sum(self.count_launches if d.emulated else self.launches + 1 for d in devices) * artifacts

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


# For a first look: shorter launches, and as few as can show a spread at all.
QUICK = Plan(launches=2, warmup_runs=3, warmup_s=0.2, runs=10, seconds=0.5)

# A clock that counts instructions needs few samples: they differ by what the guest's kernel does besides.
# No seconds: one of that clock's takes this machine ten to twenty.
INSTRUCTION_TIME_RUNS: Mapping[str, float] = {"warmup_runs": 2, "warmup_s": 0, "runs": 5, "seconds": 0}

# What the agent has no use for.
_NOT_THE_AGENTS = ("launches", "count_launches", "cool_s")


def plan_from_dict(values: Mapping[str, Any]) -> Plan:
    """From what a result file has.

    Raises:
        KeyError, TypeError, UserError: it is not a plan.
    """
    return Plan(**{**values, "options": RuntimeOptions(**values["options"])})


def job_of(device: Device, path: Path, plan: Plan) -> dict[str, Any]:
    """The job for one artifact, which is pushed; without its mode. The agent reads what its mode needs.

    Raises:
        UserError: an artifact of two files, and the device is not this machine.
    """
    if not isinstance(device, LocalDevice) and data_path(path).is_file():
        raise UserError(
            f"{path}: has its weights in a second file, which only --device local takes", Exit.DEVICE
        )
    check = check_path(path)
    values = {name: value for name, value in plan.as_dict().items() if name not in _NOT_THE_AGENTS}
    values["options"] = options_for(path, plan.options)
    if device.figure == INSTRUCTION_TIME:
        values |= INSTRUCTION_TIME_RUNS
    pushed_check = device.push(check) if check.is_file() else None
    return {**values, "graph": device.push(path), "check": pushed_check}

"""What one call of `evit-bench` measures: what its options say or, with --resume, what a result lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from evit_deploy.errors import UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.plan import Plan
    from evit_deploy.benchmarks.results import Result
    from evit_deploy.devices import Device

# What decides what is measured, all of which a partial result has.
_DECIDING = (
    *("artifacts", "names", "threads", "cores", "launches", "quick", "interpreter"),
    *("ort_spinning", "ort_optimization", "kleidiai", "xnnpack", "fp16"),
)


@dataclass(frozen=True)
class Request:
    """Graph files, devices, how; and the partial result to go on with, and its file."""

    paths: list[Path]
    devices: list[Device]
    plan: Plan
    earlier: Result | None = None
    file: Path | None = None


def resumed(file: Path, context: click.Context) -> Request:
    """What is missing in a partial result.

    Raises:
        UserError: the file has none, or is complete; or an option says something else beside it.
    """
    from evit_deploy.benchmarks.plan import plan_from_dict
    from evit_deploy.benchmarks.results import read_result
    from evit_deploy.devices import resolve_all

    _refuse_beside(file, context.params, context)
    earlier = read_result(file)
    if earlier.partial is None:
        raise UserError(f"--resume {file}: nothing is missing in it")
    paths = [Path(path) for path in earlier.artifacts]
    devices = resolve_all(earlier.targets.values())
    return Request(paths, devices, plan_from_dict(earlier.plan), earlier, file)


def _refuse_beside(file: Path, names: Mapping[str, Any], context: click.Context) -> None:
    for name in names:
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if name in _DECIDING and given:
            option = {"artifacts": "ARTIFACT", "names": "--device"}.get(name, f"--{name.replace('_', '-')}")
            raise UserError(f"--resume {file}: the file says what to measure, and how; leave out {option}")

"""Suites on the command line: found, read, and their models' names known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evit_deploy.cli.common import Reporter
from evit_deploy.cli.export import require_export_packages
from evit_deploy.errors import UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.suite import Suite


def suite_of(artifacts: Sequence[Path]) -> str | None:
    """The suite that stands in the place of artifacts; None where there is none.

    Raises:
        UserError: something stands beside it.
    """
    suites = [path for path in artifacts if path.suffix == ".toml"]
    if suites and len(artifacts) > 1:
        raise UserError(f"{suites[0]}: a suite says what to measure; name nothing beside it")
    return str(suites[0]) if suites else None


def suite_request(
    name: str, devices: tuple[str, ...], reporter: Reporter
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Artifacts and devices of a suite; exports what is missing. Devices that are given stand before its own.

    Raises:
        UserError: see `open_suite`; an export failed.
    """
    from evit_deploy.cli.suite_exports import export_suite

    suite = open_suite(name, exporting=True)
    timed = () if suite.latency is None else suite.latency.devices
    with reporter.progress("suite") as say:
        return tuple(export_suite(suite, say)), devices or (*suite.devices, *timed)


def open_suite(name: str, *, exporting: bool) -> Suite:
    """Read a suite.

    Args:
        name: a file, or the name of one that is shipped.
        exporting: look its models up, which takes torch.

    Raises:
        UserError: there is none, or it has something in it that is not understood.
        SetupError: what exporting needs is not installed.
    """
    from evit_deploy.benchmarks.suite import find_suite, read_suite

    if exporting:
        require_export_packages()
    return read_suite(find_suite(name), _full_name if exporting else None)


def _full_name(model: str) -> str:
    from evit_deploy.models.zoo import find_model

    return find_model(model).name

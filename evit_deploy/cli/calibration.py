"""What `evit-export --precision` implies: formats that can be had, and images to take ranges from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evit_deploy.cli.common import Reporter
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.exporters.precision.calibration import Calibration

Command = TypeVar("Command", bound=Callable[..., Any])


def method_options(command: Command) -> Command:
    """`--calibration-method` and `--percentile`, as `calibration_method` and `percentile`."""
    share = click.option(
        "--percentile",
        type=float,
        metavar="PERCENT",
        help="Of values that --calibration-method percentile covers; 99.99 where not given.",
    )
    method = click.option(
        "--calibration-method",
        type=click.Choice(["minmax", "percentile", "entropy"]),
        default="minmax",
        show_default=True,
        help="int8: what ranges cover of the values seen on the images.",
    )
    return method(share(command))


def formats_of(precision: str, *, mixed: bool) -> tuple[str, ...]:
    """The formats of an export that names none; `mixed`: blocks may be left in float32."""
    if mixed:
        return ("tflite",)
    from evit_deploy.exporters.options import PRECISIONS

    return PRECISIONS[precision]


def calibrations_of(path: Path | None, precisions: Sequence[str]) -> Mapping[str, Calibration]:
    """Images for those precisions that need some, looked at before anything is exported.

    Raises:
        UserError: they cannot be used, or are given for precisions that need none.
        SetupError: none are given, and the default ones are not installed.
    """
    from evit_deploy.exporters.precision.calibration import read_calibration, shipped_calibration
    from evit_deploy.exporters.precision.schemes import SCHEMES

    calibrated = [precision for precision in precisions if SCHEMES[precision].calibrated]
    if path is not None and not calibrated:
        raise UserError(
            f"--calibration is for --precision fp16 and int8: {' and '.join(precisions)} "
            f"{'takes' if len(precisions) == 1 else 'take'} no ranges from images",
            Exit.USAGE,
        )
    if not calibrated:
        return {}
    return dict.fromkeys(calibrated, shipped_calibration() if path is None else read_calibration(path))


def warn_of_the_default(
    calibrations: Mapping[str, Calibration], path: Path | None, reporter: Reporter
) -> None:
    """Say that nobody chose the images."""
    if calibrations and path is None:
        calibration = next(iter(calibrations.values()))
        reporter.warn(
            f"calibrated on the {calibration.images} {calibration.source}: ranges may not suit your images; "
            "give some with --calibration FOLDER"
        )

"""What an export has to do with images where its precision takes ranges from some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.attention_ranges import AttentionRanges, ranges_record
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.samples import as_input, check_inputs
from evit_deploy.exporters.tolerance import TOLERANCES


def calibration_inputs(calibration: Calibration | None, options: ExportOptions) -> Iterator[NDArray[Any]]:
    """What the graph is calibrated on, each as its input; a job of such a precision has a calibration."""
    assert calibration is not None
    for pixels in calibration.pixels(*options.resolution):
        yield as_input(pixels, options).numpy()


def range_inputs(calibration: Calibration | None, options: ExportOptions) -> Iterator[Tensor]:
    """What largest magnitudes are taken of: the calibration's images, and what the verification looks at."""
    for pixels in () if calibration is None else calibration.pixels(*options.resolution):
        yield as_input(pixels, options)
    for name, sample in check_inputs(options).items():
        if name.startswith(TOLERANCES[options.precision].judged):
            yield sample


def quantization_record(
    options: ExportOptions, calibration: Calibration | None, ranges: AttentionRanges
) -> dict[str, object]:
    """What the manifest says of it; empty where no ranges are taken."""
    attention: dict[str, object] = {"attention": ranges_record(ranges)} if ranges else {}
    if calibration is None:
        return attention
    described = SCHEMES[options.precision].descriptions.get(options.format, {})
    return {**described, "calibration": calibration.as_dict(), **attention}

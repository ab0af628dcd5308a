"""What an export has to do with images where its precision takes ranges from some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.samples import as_input


def calibration_inputs(calibration: Calibration | None, options: ExportOptions) -> Iterator[NDArray[Any]]:
    """What the graph is calibrated on, each as its input; a job of such a precision has a calibration."""
    assert calibration is not None
    for pixels in calibration.pixels(*options.resolution):
        yield as_input(pixels, options).numpy()


def quantization_record(options: ExportOptions, calibration: Calibration | None) -> dict[str, object]:
    """What the manifest says of it; empty where nothing is calibrated."""
    if calibration is None:
        return {}
    return {**SCHEMES[options.precision].descriptions[options.format], "calibration": calibration.as_dict()}

"""What an export has to do with images where its precision takes ranges from some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.attention_ranges import AttentionRanges, ranges_record
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.exporters.precision.int8_blocks import block_paths, operators_by_block
from evit_deploy.exporters.precision.mixed_graph import Measured, MixedGraph, split_images
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.samples import as_input, check_inputs
from evit_deploy.exporters.tolerance import TOLERANCES
from evit_deploy.models.efficientvit import EfficientViT


@dataclass(frozen=True, slots=True)
class CalibrationInputs:
    """What a graph is calibrated on, each image as its input; read whenever it is gone through."""

    calibration: Calibration
    options: ExportOptions

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for pixels in self.calibration.pixels(*self.options.resolution):
            yield as_input(pixels, self.options).numpy()


def calibration_inputs(calibration: Calibration | None, options: ExportOptions) -> CalibrationInputs:
    """Of a job of a precision that has a calibration."""
    assert calibration is not None
    return CalibrationInputs(calibration, options)


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
    """What the manifest says of it; empty where nothing is quantised and no ranges are taken."""
    scheme = SCHEMES[options.precision]
    record = dict(scheme.descriptions.get(options.format, {}))
    if scheme.quantize:
        record["ranges"] = str(options.range_method)
    if calibration is not None:
        record["calibration"] = calibration.as_dict()
    if ranges:
        record["attention"] = ranges_record(ranges)
    return record


def mixed_graph(
    content: bytes,
    rewritten: nn.Module,
    model: nn.Module,
    calibration: Calibration | None,
    options: ExportOptions,
) -> MixedGraph:
    """A float32 TFLite file whose blocks can be quantised one by one.

    Args:
        content: the file.
        rewritten: what it was converted from.
        model: the published one, whose blocks these are.
        calibration: images to take ranges from and to measure on.
        options: of the file.

    Raises:
        UserError: the model is of another family.
        EvitError: its operators cannot be told apart by block, or the quantizer failed.
        SetupError: ai-edge-quantizer is not installed.
    """
    assert calibration is not None
    if not isinstance(model, EfficientViT):
        raise UserError(
            f"a {type(model).__name__} is not told apart by block; that works for EfficientViT's classifiers "
            "and segmentation models",
            Exit.USAGE,
        )
    blocks = operators_by_block(content, rewritten, block_paths(model))
    inputs, split = calibration_inputs(calibration, options), split_images(calibration.images)
    return MixedGraph(content, blocks, inputs, split, options.range_method)


def mixed_record(graph: MixedGraph, found: Measured, options: ExportOptions) -> dict[str, object]:
    """What the manifest's `quantization` says of blocks that were left in float32."""
    return {
        "min_sqnr_db": options.min_sqnr_db,
        "sqnr_db": round(found.sqnr_db, 2),
        "float32_blocks": list(found.float32),
        "int8_blocks": [path for path in graph.blocks if path not in found.float32],
        **graph.split.as_dict(),
    }

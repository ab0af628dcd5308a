"""The reference's outputs in one layout for all graphs of a model, whatever their format and layout.

    computed   (B, 3, H, W) in, (B, classes, H', W') out; pixels in NHWC, classes in NHW
    compared   the same values, in the layout of the graph

So a graph's check file and report are the same whatever was exported beside it. Between processes the
outputs travel as files: those of a model that upsamples its logits are gigabytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.verify import Reference
from evit_deploy.parity import Comparison

Array = NDArray[Any]
_FIGURES, _INPUT = "figures.json", ".input.npy"


def shared_options(options: ExportOptions) -> ExportOptions:
    """What the reference is run with: equal for graphs that differ only in their ends."""
    layout = "nhwc" if options.preprocess else "nchw"
    return replace(options, format="onnx", layout=layout, dynamic_batch=False)


def shared_reference(
    module: nn.Module,
    options: ExportOptions,
    published: nn.Module | None = None,
    calibration: Calibration | None = None,
) -> Reference:
    """Outputs of a `Deployable` that was made with `shared_options`, which `options` are.

    `published` as of `Reference`, `calibration` as of `check_inputs`.
    """
    return Reference(module, check_inputs(options, calibration), published)


def in_layout(shared: Reference, options: ExportOptions) -> Reference:
    """The same values for a graph with these ends."""
    if options.input_layout == shared_options(options).input_layout:
        return shared
    outputs = {name: _channels_last(output) for name, output in shared.outputs.items()}
    samples = {name: sample.permute(0, 2, 3, 1).contiguous() for name, sample in shared.samples.items()}
    return Reference.known(samples, outputs, shared.floors, shared.roundings)


def save_outputs(shared: Reference, folder: Path) -> None:
    """Write inputs, outputs, floors and roundings into an empty folder."""
    for name, output in shared.outputs.items():
        np.save(folder / f"{name}.npy", output)
        np.save(folder / f"{name}{_INPUT}", shared.samples[name].numpy())
    figures = {
        "floors": {name: asdict(floor) for name, floor in shared.floors.items()},
        "roundings": {name: asdict(rounding) for name, rounding in shared.roundings.items()},
    }
    (folder / _FIGURES).write_text(json.dumps(figures), encoding="utf-8")


def load_outputs(folder: Path) -> Reference:
    """What `save_outputs` wrote, as the very same numbers; read from the disk when it is needed."""
    figures: dict[str, Any] = json.loads((folder / _FIGURES).read_text(encoding="utf-8"))
    floors = {name: Comparison(**values) for name, values in figures["floors"].items()}
    outputs = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in floors}
    roundings = {name: Comparison(**values) for name, values in figures["roundings"].items()}
    samples = {name: torch.from_numpy(np.load(folder / f"{name}{_INPUT}")) for name in floors}
    return Reference.known(samples, outputs, floors, roundings)


def _channels_last(output: Array) -> Array:
    """(B, classes, H', W') -> (B, H', W', classes); anything else as it is."""
    return output if output.ndim != 4 else output.transpose(0, 2, 3, 1)

"""The reference's outputs in one layout for all graphs of a model, whatever their format and layout.

    computed   (B, 3, H, W) in, (B, classes, H', W') out; pixels in NHWC, classes in NHW
    compared   the same values, in the layout of the graph

So a graph's check file and report are the same whatever was exported beside it. Between processes the
outputs travel as files: those of a model that upsamples its logits are gigabytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.verify import Reference

Array = NDArray[Any]
_FLOORS = "floors.json"


def shared_options(options: ExportOptions) -> ExportOptions:
    """What the reference is run with: equal for graphs that differ only in their ends."""
    layout = "nhwc" if options.preprocess else "nchw"
    return replace(options, format="onnx", layout=layout, dynamic_batch=False)


def shared_reference(module: nn.Module, options: ExportOptions) -> Reference:
    """Outputs of a `Deployable` that was made with `shared_options`, which `options` are."""
    return Reference(module, check_inputs(options))


def in_layout(shared: Reference, options: ExportOptions) -> Reference:
    """The same values for a graph with these ends."""
    if options.input_layout == shared_options(options).input_layout:
        return shared
    outputs = {name: _channels_last(output) for name, output in shared.outputs.items()}
    return Reference.known(check_inputs(options), outputs, shared.floors_db)


def save_outputs(shared: Reference, folder: Path) -> None:
    """Write outputs and floors into an empty folder."""
    for name, output in shared.outputs.items():
        np.save(folder / f"{name}.npy", output)
    (folder / _FLOORS).write_text(json.dumps(shared.floors_db), encoding="utf-8")


def load_outputs(folder: Path, options: ExportOptions) -> Reference:
    """What `save_outputs` wrote, as the very same numbers; read from the disk when it is needed."""
    floors: Mapping[str, float] = json.loads((folder / _FLOORS).read_text(encoding="utf-8"))
    outputs = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in floors}
    return Reference.known(check_inputs(shared_options(options)), outputs, dict(floors))


def _channels_last(output: Array) -> Array:
    """(B, classes, H', W') -> (B, H', W', classes); anything else as it is."""
    return output if output.ndim != 4 else output.transpose(0, 2, 3, 1)

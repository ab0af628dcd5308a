"""Which module of the reference is the first that a graph computes differently.

Every tensor of the graph is computed on one input, every module of the reference on the same. A module is
found in the graph where some tensor of it equals the module's output (in NCHW or NHWC order), whatever its
name. The first module, in the order of execution, that is found nowhere is where the graph went wrong, unless
a module around it is found: then it was only fused into its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evit_deploy.artifact import format_of
from evit_deploy.exporters.graph_tensors import onnx_tensors, tflite_tensors
from evit_deploy.parity import sqnr_db

Array = NDArray[Any]
# Below this a tensor is not the module's output: float32 gives 115 dB or more inside the network, and a
# difference that leaves every module above this leaves the output in tolerance.
FOUND_DB = 100.0


@dataclass(frozen=True, slots=True)
class Difference:
    """The first module that differs, and the SQNR of the graph's tensor that comes closest to its output."""

    path: str
    kind: str
    closest_db: float

    def __str__(self) -> str:
        closest = f"its closest tensor in the graph is at {self.closest_db:.1f} dB"
        return f"the first module that differs is '{self.path}' ({self.kind}): {closest}"


def first_difference(graph: Path, reference: nn.Module, sample: Tensor) -> Difference | None:
    """Find the first module whose output is in no tensor of the graph.

    Args:
        graph: .onnx or .tflite.
        reference: the `Deployable` with the reference model in it.
        sample: one input that the graph takes.

    Returns:
        `None` where every module is found: the difference is then behind the last one, or appears only with
        the runtime's optimisations or delegate, which are off here.
    """
    read_tensors = {"onnx": onnx_tensors, "tflite": tflite_tensors}[format_of(graph)]
    closest = _Closest(read_tensors(graph, sample.numpy()))
    outputs = module_outputs(reference, sample)
    distance = {path: closest.sqnr_db(output) for path, output in outputs.items()}
    found = {path for path, db in distance.items() if db >= FOUND_DB}
    for path, db in distance.items():
        if path not in found and not any(path.startswith(f"{outer}.") for outer in found):
            kind = type(reference.get_submodule(path)).__name__
            return Difference(path.removeprefix("model."), kind, db)
    return None


def module_outputs(model: nn.Module, sample: Tensor) -> dict[str, Array]:
    """Output of every module of ours with one tensor as its output, in the order in which they finish.

    PyTorch's own modules (convolutions, norms, activations) are left out: exports fuse them.
    """
    outputs: dict[str, Array] = {}

    def record(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                outputs[path] = output.numpy().copy()

        return hook

    handles = [
        module.register_forward_hook(record(path))
        for path, module in model.named_modules()
        if path not in ("", "model") and not type(module).__module__.startswith("torch.")
    ]
    try:
        with torch.no_grad():
            model(sample)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


class _Closest:
    """The graph's tensors by size, to look up the one that is closest to a given output."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._by_size: dict[int, list[Array]] = {}
        for tensor in tensors.values():
            if np.issubdtype(tensor.dtype, np.floating):
                self._by_size.setdefault(tensor.size, []).append(tensor.astype(np.float64).ravel())

    def sqnr_db(self, output: Array) -> float:
        forms = [output] if output.ndim != 4 else [output, output.transpose(0, 2, 3, 1)]
        best = -np.inf
        for form in forms:
            wanted = form.astype(np.float64).ravel()
            power = float(wanted @ wanted)
            for tensor in self._by_size.get(wanted.size, ()):
                noise = wanted - tensor
                best = max(best, sqnr_db(power, float(noise @ noise)))
        return float(best)

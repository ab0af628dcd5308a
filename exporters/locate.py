"""Which module of the reference is the first that a graph computes differently.

Every tensor of the graph is computed on one input, every module of the reference on the same. A module is
found in the graph where some tensor of it equals the module's output (in NCHW or NHWC order), whatever its
name. The first module, in the order of execution, that is found nowhere is where the graph went wrong, with
two exceptions:
    - a module around it is found: it was only fused into its neighbours;
    - its own input is found nowhere either: what feeds it went wrong, that is, what the module around it
      computes between its children (the products of the attention, the sum of the head's branches).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


def first_difference(
    graph: Path, reference: nn.Module, sample: Tensor, replaced: Collection[str] = ()
) -> Difference | None:
    """Find the first module whose output is in no tensor of the graph.

    Args:
        graph: .onnx or .tflite.
        reference: the `Deployable` with the reference model in it.
        sample: one input that the graph takes.
        replaced: paths of modules whose children are not in the graph.

    Returns:
        `None` where every module is found: the difference is then behind the last one, or appears only with
        the runtime's optimisations or delegate, which are off here.
    """
    read_tensors = {"onnx": onnx_tensors, "tflite": tflite_tensors}[format_of(graph)]
    image = sample.numpy()
    closest = _Closest({"image": image, **read_tensors(graph, image)})
    calls = module_calls(reference, sample, replaced)
    distance = {path: closest.sqnr_db(call.output) for path, call in calls.items()}
    found = {path for path, db in distance.items() if db >= FOUND_DB}
    for path in calls:
        if path not in found and not any(path.startswith(f"{outer}.") for outer in found):
            wrong = _where_it_begins(path, calls, closest)
            kind = type(reference.get_submodule(wrong)).__name__
            return Difference(wrong.removeprefix("model."), kind, distance[wrong])
    return None


def _where_it_begins(path: str, calls: Mapping[str, Call], closest: _Closest) -> str:
    """`path`, or the nearest module around it whose own input is still right."""
    first = calls[path].input
    outer = next((p for p in _around(path) if p in calls), None)
    if first is None or outer is None or closest.sqnr_db(first) >= FOUND_DB:
        return path
    return _where_it_begins(outer, calls, closest)


def _around(path: str) -> list[str]:
    """Paths of the modules that contain `path`, from the inside outwards."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


@dataclass(frozen=True, slots=True)
class Call:
    """What went into a module and came out; `input` is `None` where it is no single tensor."""

    input: Array | None
    output: Array


def module_calls(model: nn.Module, sample: Tensor, replaced: Collection[str] = ()) -> dict[str, Call]:
    """The call of every module of ours with one tensor of floats as its output, in the order of finishing.

    PyTorch's own modules (convolutions, norms, activations) are left out: exports fuse them. Its containers
    are not. What is inside of those whose paths are `replaced` is left out, too.
    """
    calls: dict[str, Call] = {}
    inside = tuple(f"{path}." for path in replaced)

    def record(path: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor) and output.is_floating_point():
                only = inputs[0].numpy().copy() if isinstance(inputs[0], Tensor) else None
                calls[path] = Call(only, output.numpy().copy())

        return hook

    handles = [
        module.register_forward_hook(record(path))
        for path, module in model.named_modules()
        if path not in ("", "model")
        and not path.startswith(inside)
        and (isinstance(module, nn.Sequential) or _is_ours(module))
    ]
    try:
        with torch.no_grad():
            model(sample)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _is_ours(module: nn.Module) -> bool:
    return not type(module).__module__.startswith("torch.")


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

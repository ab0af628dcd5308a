"""Which operators of a TFLite graph belong to which block of the model.

    block      stem, each MBConv, each context and local module of an EfficientViTBlock, each part of the head
    operator   is of the module whose weight it holds

TFLite's tensor names do look like paths, but cannot be relied on: lists of modules are not in them, those of
one block appear in another's where the converter has merged equal computations, and the last one is renamed.
Values can: the weight of a convolution or a linear layer reaches the file bit for bit, at most with its axes
in another order. Where two blocks have the same values, or none has, nothing is guessed: it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from evit_deploy.errors import EvitError, Exit
from evit_deploy.exporters.precision.int8_operators import WEIGHTED
from evit_deploy.exporters.tflite_metadata import operator_kinds, read_model
from evit_deploy.models.efficientvit import EfficientViTBlock
from evit_deploy.models.heads import SegmentationHead

Blocks = Mapping[str, tuple[str, ...]]  # path of a block -> output tensors of its operators
_WEIGHT = 1  # the input of those operators that holds it


def block_paths(model: nn.Module) -> tuple[str, ...]:
    """Paths of the blocks in the published model, in the order in which they are computed.

    The last one is the `Deployable`'s own: `--head upsample` multiplies by matrices, which int8 takes.
    """
    stem = [f"backbone.{name}" for name, _ in model.get_submodule("backbone").named_children()][:-1]
    return (*stem, *_backbone_blocks(model), *_head_blocks(model), "upsample")


def _backbone_blocks(model: nn.Module) -> Iterator[str]:
    for number, stage in enumerate(model.get_submodule("backbone.stages").children()):
        for position, block in enumerate(stage.get_submodule("op_list").children()):
            path = f"backbone.stages.{number}.op_list.{position}"
            parts = (".context_module", ".local_module") if isinstance(block, EfficientViTBlock) else ("",)
            yield from (path + part for part in parts)


def _head_blocks(model: nn.Module) -> Iterator[str]:
    lists: tuple[str, ...] = ("op_list",)
    head = model.get_submodule("head")
    if isinstance(head, SegmentationHead):
        lists = ("input_ops", "middle.op_list", "output_ops.0.op_list")
    for name in lists:
        yield from (f"head.{name}.{child}" for child, _ in head.get_submodule(name).named_children())


def operators_by_block(content: bytes, module: nn.Module, paths: Sequence[str]) -> Blocks:
    """The operators that int8 quantises, by the block that they compute.

    Args:
        content: the float32 TFLite file.
        module: the rewritten `Deployable` that it was converted from.
        paths: of the blocks in the model inside of that.

    Returns:
        The blocks that have such operators, in the order of `paths`.

    Raises:
        EvitError: an operator's weight is no module's, or that of several blocks.
    """
    owners = _owners(module, paths)
    found: dict[str, list[str]] = {path: [] for path in paths}
    for name, weight in _weighted_operators(content):
        of = owners.get(_fingerprint(weight), set()) if weight is not None else set()
        if len(of) != 1:
            holders = f"those of several blocks ({', '.join(sorted(of))})" if of else "those of no block"
            raise EvitError(
                f"the weights of operator '{name[-60:]}' are {holders}, so it cannot be said which block it "
                "computes; export to int8 without --min-sqnr",
                Exit.CONVERSION,
            )
        found[of.pop()].append(name)
    return {path: tuple(names) for path, names in found.items() if names}


def _owners(module: nn.Module, paths: Sequence[str]) -> dict[bytes, set[str]]:
    """Values of a weight -> blocks that have a weight of these values."""
    owners: dict[bytes, set[str]] = {}
    for name, values in (*module.named_parameters(), *module.named_buffers()):
        block = next((path for path in paths if name.removeprefix("model.").startswith(f"{path}.")), None)
        if block is not None:
            owners.setdefault(_fingerprint(values.detach().numpy()), set()).add(block)
    return owners


def _fingerprint(weight: NDArray[Any]) -> bytes:
    """Equal for equal values in whatever order."""
    return np.sort(weight.astype(np.float32).ravel() + np.float32(0)).tobytes()  # -0 becomes 0


def _weighted_operators(content: bytes) -> Iterator[tuple[str, NDArray[Any] | None]]:
    """Output tensor and weight of each operator that int8 quantises; `None`: the weight is no constant."""
    model = read_model(content)
    (graph,) = model.subgraphs
    names = [tensor.name.decode() for tensor in graph.tensors]
    assert len(set(names)) == len(names)  # the quantizer knows tensors by their names
    for kind, operator in zip(operator_kinds(model), graph.operators, strict=True):
        if kind in WEIGHTED:
            (output,) = operator.outputs
            data = model.buffers[graph.tensors[operator.inputs[_WEIGHT]].buffer].data
            yield names[output], None if data is None else np.asarray(data, np.uint8).view(np.float32)

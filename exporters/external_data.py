"""ONNX graphs whose weights do not fit into one file: a protobuf message ends at 2 GiB.

    NAME.onnx        the graph; of a large initialiser it says where in the second file its bytes are
    NAME.onnx.data   those bytes, one tensor after the other, each from a multiple of 4096 on

Both belong together: the graph names the second file, which runtimes look for in its own folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evit_deploy.artifact import data_path, sha256_of
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    import onnx

# protobuf's limit is 2**31 - 1 bytes; what is left is for nodes, names and small constants.
LARGEST_FILE_BYTES = 2_000_000_000
# Smaller tensors stay in the graph: shapes and axes must, and the others would gain nothing.
SMALLEST_OUTSIDE_BYTES = 1024
ALIGNMENT = 4096  # of a page, so that a runtime may map the file


@dataclass(frozen=True, slots=True)
class SplitGraph:
    """A graph and the bytes of its large weights, (offset in the second file, bytes) each."""

    graph: bytes
    weights: tuple[tuple[int, bytes], ...]


Content = bytes | SplitGraph


def content_of(model: onnx.ModelProto, name: str) -> Content:
    """What a model's file, or files, called `name` hold; a large model loses its weights to them."""
    tensors = model.graph.initializer
    if sum(len(tensor.raw_data) for tensor in tensors) <= LARGEST_FILE_BYTES:
        return _serialised(model)
    offset, weights = 0, []
    for tensor in tensors:
        values = tensor.raw_data
        if len(values) >= SMALLEST_OUTSIDE_BYTES:
            weights.append((offset, values))
            _point_to(tensor, data_path(Path(name)).name, offset, len(values))
            offset += -(-len(values) // ALIGNMENT) * ALIGNMENT
    return SplitGraph(_serialised(model), tuple(weights))


def write_content(graph: Path, content: Content, pack: Callable[[bytes], bytes] | None = None) -> None:
    """Write the file, or both; `pack` changes how one file stores its numbers.

    Raises:
        UserError: it is to be packed and has two files.
    """
    if isinstance(content, bytes):
        graph.write_bytes(content if pack is None else pack(content))
        return
    if pack is not None:
        raise refused_precision(graph)
    with data_path(graph).open("wb") as file:
        for offset, values in content.weights:
            file.write(b"\0" * (offset - file.tell()))
            file.write(values)
    graph.write_bytes(content.graph)


def refused_precision(graph: Path) -> UserError:
    """The error for a precision that takes a graph in one file."""
    return UserError(
        f"{graph.name}: its weights are more than {LARGEST_FILE_BYTES / 1e9:g} GB and take a second file, "
        "which only --precision fp32 can have",
        Exit.USAGE,
    )


def files_of(graph: Path) -> tuple[Path, ...]:
    """The graph, and before it the file with its weights where there is one."""
    data = data_path(graph)
    return (data, graph) if data.is_file() else (graph,)


def stored(graph: Path) -> dict[str, Any]:
    """What `GraphFacts` says of the files themselves."""
    data = data_path(graph)
    own = graph.stat().st_size
    if not data.is_file():
        return {"sha256": sha256_of(graph), "size_bytes": own}
    size = data.stat().st_size
    facts = {"sha256": sha256_of(data), "size_bytes": size}
    return {"sha256": sha256_of(graph), "size_bytes": own + size, "data": facts}


def move_graph(graph: Path, target: Path) -> None:
    """Rename a graph and its second file, whose new name goes into the graph."""
    if data_path(graph).is_file():
        import onnx

        model = onnx.load(str(graph), load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = data_path(target).name
        data_path(graph).replace(data_path(target))
        graph.write_bytes(_serialised(model))
    graph.replace(target)


def _point_to(tensor: onnx.TensorProto, name: str, offset: int, length: int) -> None:
    import onnx

    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", name), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def _serialised(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content

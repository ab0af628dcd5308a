"""Reading and writing a TFLite flatbuffer as an object tree, and a note of our own inside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from evit_deploy.artifact import EMBEDDED_KEY

_IDENTIFIER = b"TFL3"


def read_model(content: bytes) -> Any:
    """The flatbuffer as the schema's object tree, `ModelT`."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def write_model(model: Any) -> bytes:
    """The object tree as a flatbuffer; the same tree gives the same bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def operator_kinds(model: Any) -> list[str]:
    """The builtin name ("CONV_2D") of each operator of a file's one graph, in the order in which they run."""
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    kinds = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    (graph,) = model.subgraphs
    return [kinds[operator.opcodeIndex] for operator in graph.operators]


def embed(model: Any, content: bytes) -> None:
    """Put `content` into the model's metadata under `EMBEDDED_KEY`, in the place of an earlier one."""
    from ai_edge_litert import schema_py_generated as schema

    entries = list(model.metadata or [])
    for earlier in entries:
        if earlier.name == EMBEDDED_KEY.encode():
            model.buffers[earlier.buffer].data = np.frombuffer(content, np.uint8)
            return
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name = EMBEDDED_KEY.encode()
    entry.buffer = len(model.buffers) - 1
    model.metadata = [*entries, entry]


def with_note(content: bytes, note: bytes) -> bytes:
    """A TFLite file with another note in it."""
    model = read_model(content)
    embed(model, note)
    return write_model(model)


def embedded(content: bytes) -> bytes | None:
    """What `embed` put into a TFLite file; `None` where there is nothing."""
    model = read_model(content)
    for entry in model.metadata or []:
        if entry.name == EMBEDDED_KEY.encode():
            return bytes(model.buffers[entry.buffer].data)
    return None

"""A cheap look at a .tflite file before native code reads it.

The interpreters trust the offsets in the file: one that is cut short makes them read beyond its end, and the
process dies without a word. A .tflite is a FlatBuffer (identifier "TFL3"): tables, vectors and strings that
point at each other by offsets. This walks what the interpreter needs to load a graph (operator codes,
subgraphs, tensors, operators, weight buffers) and checks that all of it lies inside the file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Union

from evit_deploy.runtimes.base import unreadable

IDENTIFIER = b"TFL3"

# What a field holds: the name of a table, a list of tables [name], or a vector of elements of so many bytes.
_Kind = Union[str, "list[str]", int]

# Table -> field number -> kind, from the published schema of TFLite; scalar fields are left out.
_SCHEMA: Mapping[str, Mapping[int, _Kind]] = {
    "Model": {1: ["OperatorCode"], 2: ["SubGraph"], 4: ["Buffer"]},
    "OperatorCode": {1: 1},
    "SubGraph": {0: ["Tensor"], 1: 4, 2: 4, 3: ["Operator"], 4: 1},
    "Tensor": {0: 4, 3: 1, 4: "Quantization"},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8},
    "Operator": {1: 4, 2: 4},
    "Buffer": {0: 1},
}
_REQUIRED_OF_MODEL = (1, 2, 4)


def validate(path: Path) -> None:
    """Check that a file is a complete TFLite model, as far as its structure tells.

    Raises:
        UserError: it is not.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error.strerror) from error
    if data[4:8] != IDENTIFIER:
        raise unreadable(path, "not a TFLite model: it lacks the identifier 'TFL3' at byte 4")
    try:
        _check_table(data, _target(data, 0), "Model")
    except (struct.error, ValueError) as error:
        raise unreadable(path, f"damaged or incomplete TFLite model ({len(data)} bytes): {error}") from error


def _check_table(data: bytes, start: int, name: str) -> None:
    """Check the table at `start` and all that it points to."""
    vtable = start - _read(data, start, "<i")
    vtable_size, table_size = _read(data, vtable, "<H"), _read(data, vtable + 2, "<H")
    _require(data, vtable, vtable_size, name)
    _require(data, start, table_size, name)
    for field, kind in _SCHEMA[name].items():
        slot = 4 + 2 * field
        offset = _read(data, vtable + slot, "<H") if slot < vtable_size else 0
        if offset:
            _check_field(data, _target(data, start + offset), kind, f"{name} field {field}")
        elif name == "Model" and field in _REQUIRED_OF_MODEL:
            raise ValueError(f"the model has no field {field}")


def _check_field(data: bytes, start: int, kind: _Kind, where: str) -> None:
    if isinstance(kind, str):
        _check_table(data, start, kind)
        return
    count = _read(data, start, "<I")
    width = kind if isinstance(kind, int) else 4
    _require(data, start + 4, count * width, where)
    if isinstance(kind, list):
        for index in range(count):
            _check_table(data, _target(data, start + 4 + 4 * index), kind[0])


def _target(data: bytes, position: int) -> int:
    """Where the 4-byte relative offset at `position` points."""
    return position + _read(data, position, "<I")


def _read(data: bytes, position: int, code: str) -> int:
    if position < 0:
        raise ValueError("an offset points before the beginning")
    return int(struct.unpack_from(code, data, position)[0])


def _require(data: bytes, start: int, size: int, what: str) -> None:
    if start < 0 or start + size > len(data):
        raise ValueError(f"{what} reaches to byte {start + size}")

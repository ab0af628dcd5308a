"""A small graph to measure where there is no artifact: ONNX, some milliseconds, made here from nothing.

    image (1, 32, S, S) -> [Conv 3x3, 32 -> 32; Relu] x 6 -> features (1, 32, S, S), float32, NCHW

173 M multiply-accumulates at S = 56: long enough for a clock, short enough for an emulator. Written as
protocol buffers by hand, since the package onnx is for exporting only. Same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NAME = "builtin-conv.onnx"
_CHANNELS, _SIZE, _LAYERS = 32, 56, 6
_OPSET, _IR_VERSION = 17, 8
# Values of enums in onnx.proto.
_FLOAT, _INTS = 1, 7


def builtin_graph(size: int = _SIZE) -> bytes:
    """The content of the file; `size` is the image's height and width."""
    names = ["image", *(f"active{n}" for n in range(1, _LAYERS)), "features"]
    nodes = [_layer(n, names[n], names[n + 1]) for n in range(_LAYERS)]
    graph = b"".join(
        [
            *nodes,
            _text(2, "builtin"),
            *(_field(5, _weight(f"weight{n}", seed=n)) for n in range(_LAYERS)),
            _field(11, _value("image", size)),
            _field(12, _value("features", size)),
        ]
    )
    opset = _text(1, "") + _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _field(8, opset) + _field(7, graph)


def _layer(number: int, source: str, target: str) -> bytes:
    between = f"convolved{number}"
    pads = _text(1, "pads") + b"".join(_number(8, 1) for _ in range(4)) + _number(20, _INTS)
    convolve = _node("Conv", [source, f"weight{number}"], between) + _field(5, pads)
    return _field(1, convolve) + _field(1, _node("Relu", [between], target))


def _node(kind: str, sources: Sequence[str], target: str) -> bytes:
    return b"".join(_text(1, source) for source in sources) + _text(2, target) + _text(4, kind)


def _weight(name: str, seed: int) -> bytes:
    """Uniform, of variance 2 / (products in a sum), so that activations keep their size."""
    shape = (_CHANNELS, _CHANNELS, 3, 3)
    count = _CHANNELS * _CHANNELS * 9
    codes = _mixed(np.arange(seed * count, (seed + 1) * count, dtype=np.uint64))
    values = (codes.astype(np.float64) / 2**63 - 1) * np.sqrt(6 / (_CHANNELS * 9))
    dims = b"".join(_number(1, length) for length in shape)
    return dims + _number(2, _FLOAT) + _text(8, name) + _field(9, values.astype("<f4").tobytes())


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Random-looking numbers, alike with every numpy: SplitMix64's output function (Steele et al., 2014)."""
    mixed: NDArray[np.uint64] = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed


def _value(name: str, size: int) -> bytes:
    dims = b"".join(_field(1, _number(1, length)) for length in (1, _CHANNELS, size, size))
    return _text(1, name) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, dims)))


def _field(number: int, content: bytes) -> bytes:
    """A field with a length: a message, bytes or text."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the eighth says that more follow."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])

"""One float32 TFLite graph, any blocks of which can be left as they are while the others go to int8.

    images   -> ranges, once;  the float32 graph's outputs on the images that it is measured on, once
    float32 blocks -> quantised file -> its outputs -> SQNR against the float32 graph's, over all those images

Ranges and distance are taken from different images where there are enough: what is calibrated on an image is
a little too good on it. The file that was measured is the file that is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.exporters.precision.int8_blocks import Blocks
from evit_deploy.exporters.precision.int8_tflite import quantize_with, ranges_of
from evit_deploy.exporters.precision.range_methods import MINMAX, RangeMethod
from evit_deploy.parity import SQNR_EXACT_DB, sqnr_db
from evit_deploy.runtimes import open_runner

Array = NDArray[Any]
# From so many images on, every fourth is measured on and not calibrated on; of fewer, that would be one.
ENOUGH_IMAGES, HELD_OUT_EVERY = 8, 4
MEASURED_AT_MOST = 32  # a block costs an inference for each; more of them move an SQNR by tenths of a dB


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the images that are calibrated on, and of those that are measured on."""

    calibrated: tuple[int, ...]
    measured: tuple[int, ...]

    @property
    def held_out(self) -> bool:
        """Whether no image is both."""
        return not set(self.calibrated) & set(self.measured)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        counts = {"images_calibrated_on": len(self.calibrated), "images_measured_on": len(self.measured)}
        return {**counts, "held_out": self.held_out}

    def __str__(self) -> str:
        if self.held_out:
            every = f"every {HELD_OUT_EVERY}th image, up to {MEASURED_AT_MOST}"
            return f"{len(self.measured)} images that are not calibrated on ({every})"
        return f"the {len(self.measured)} images that are calibrated on, too few to hold some out"


def split_images(count: int) -> Split:
    """Which of so many images are for what."""
    everything = tuple(range(count))
    if count < ENOUGH_IMAGES:
        return Split(everything, everything)
    measured = everything[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY][:MEASURED_AT_MOST]
    return Split(tuple(sorted(set(everything) - set(measured))), measured)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a choice of blocks in float32; outputs that are not finite have `-SQNR_EXACT_DB`."""

    float32: tuple[str, ...]
    sqnr_db: float
    size_bytes: int


class MixedGraph:
    """Quantises and measures; each choice once.

    Args:
        content: the float32 file.
        blocks: its operators by block.
        inputs: one an image, each of the graph's input's shape and dtype; gone through several times.
        split: which of them are for what.
        method: how ranges are taken of them.

    Raises:
        SetupError: ai-edge-quantizer is not installed.
        EvitError: it failed.
    """

    def __init__(
        self,
        content: bytes,
        blocks: Blocks,
        inputs: Iterable[Array],
        split: Split,
        method: RangeMethod = MINMAX,
    ) -> None:
        self.content, self.blocks, self.split = content, blocks, split
        self._ranges = ranges_of(content, _At(inputs, split.calibrated), method)
        self._images = list(_At(inputs, split.measured))
        self._expected = _outputs(content, self._images)
        self._measured: dict[frozenset[str], Measured] = {}

    def measure(self, float32: Collection[str]) -> Measured:
        """With these blocks in float32."""
        key = frozenset(float32)
        if key not in self._measured:
            content = self.quantized(key)
            got = _outputs(content, self._images)
            self._measured[key] = Measured(
                self._ordered(key), _distance_db(self._expected, got), len(content)
            )
        return self._measured[key]

    def quantized(self, float32: Collection[str]) -> bytes:
        """The file with these blocks in float32, in int8 the others, of which there is at least one."""
        chosen = self._ordered(float32)
        assert len(chosen) < len(self.blocks)
        names = [name for path in chosen for name in self.blocks[path]]
        return quantize_with(self.content, self._ranges, names)

    def _ordered(self, float32: Collection[str]) -> tuple[str, ...]:
        assert set(float32) <= set(self.blocks)
        return tuple(path for path in self.blocks if path in float32)


@dataclass(frozen=True, slots=True)
class _At:
    """Those of the inputs at some positions."""

    inputs: Iterable[Array]
    positions: tuple[int, ...]

    def __iter__(self) -> Iterator[Array]:
        positions = set(self.positions)
        return (value for position, value in enumerate(self.inputs) if position in positions)


def _outputs(content: bytes, images: Iterable[Array]) -> list[Array]:
    """What a file makes of each image, as it is deployed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mixed.tflite"
        path.write_bytes(content)
        with open_runner(path) as runner:
            (name,) = (info.name for info in runner.inputs)
            return [next(iter(runner.run({name: image}).values())) for image in images]


def _distance_db(expected: Iterable[Array], got: Iterable[Array]) -> float:
    """Of all images together: the powers of signal and noise are added up."""
    signal = noise = 0.0
    for one, other in zip(expected, got, strict=True):
        wanted = one.astype(np.float64)
        signal += float(np.sum(wanted**2))
        noise += float(np.sum((other - wanted) ** 2))
    return sqnr_db(signal, noise) if np.isfinite(noise) else -SQNR_EXACT_DB

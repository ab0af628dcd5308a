"""How much of the values that were seen the range of an int8 tensor covers.

    minmax       from the smallest to the largest
    percentile   all but a share of them, half of which lies below and half above
    entropy      the range in which 256 codes tell most of how the values are distributed

What is outside saturates: a little is lost at the ends, and the steps between are finer. The last two are
found in two passes over the images: the first finds the smallest and the largest value, the second counts
values in `BINS` equal parts between them. So the order of the images does not matter, and memory does not
grow with their number. Zero always stays inside: padding and ReLU need it exactly.

"entropy": P has the counts inside of a candidate range, those outside added to its ends; Q is what is left of
P when only 256 sums are kept, each spread evenly over its non-empty parts. Wanted is the least
Kullback-Leibler divergence of P from Q (Migacz, "8-bit inference with TensorRT", 2017; there for symmetric
ranges). The upper end is chosen first, then the lower one. Of few values the parts are made larger, until
they say something of a distribution; a tensor of very few keeps all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Range = tuple[float, float]
Observe = Callable[[Array], Mapping[str, Array]]  # an image -> the tensors that it becomes

BINS = 2048
CODES = 256
_CANDIDATES = 128  # ends that are tried, from `CODES` parts on
_ENOUGH = 8  # values to a part, on average
_EMPTY = 1e-4  # counts where Q has none and P has those from outside


@dataclass(frozen=True, slots=True)
class RangeMethod:
    """A method by its name; `percentile` is the share in percent that is covered, of "percentile" only."""

    name: str = "minmax"
    percentile: float | None = None

    def __str__(self) -> str:
        return self.name if self.percentile is None else f"{self.name} {self.percentile:g}"

    def of(self, counts: Array, edges: Array) -> Range:
        """The range of a tensor.

        Args:
            counts: (BINS,) of values.
            edges: (BINS + 1,) of the parts that they were counted in.
        """
        assert self.name in _METHODS
        low, high = _METHODS[self.name](counts, edges, self.percentile)
        return min(low, 0.0), max(high, 0.0)


MINMAX = RangeMethod()


def narrowed(
    ranges: Mapping[str, Range], inputs: Iterable[Array], observe: Observe, method: RangeMethod
) -> dict[str, Range]:
    """Ranges of the same tensors by a method that needs more than the smallest and the largest value.

    Args:
        ranges: from the smallest to the largest value over the inputs.
        inputs: those images, again.
        observe: of each of these tensors.
        method: any.
    """
    if method == MINMAX:
        return dict(ranges)
    counts = {name: np.zeros(BINS, np.int64) for name in ranges}
    for image in inputs:
        for name, values in observe(image).items():
            counts[name] += np.histogram(values, BINS, ranges[name])[0]
    return {
        name: method.of(counts[name], np.linspace(low, high, BINS + 1)) if high > low else (low, high)
        for name, (low, high) in ranges.items()
    }


def _whole(counts: Array, edges: Array, percentile: float | None) -> Range:
    return float(edges[0]), float(edges[-1])


def _percentile(counts: Array, edges: Array, percentile: float | None) -> Range:
    assert percentile is not None
    outside = (1 - percentile / 100) / 2
    shares = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()  # (BINS + 1,), below each edge
    low, high = np.interp([outside, 1 - outside], shares, edges)
    return float(low), float(high)


def _entropy(counts: Array, edges: Array, percentile: float | None) -> Range:
    """Candidates have at least `CODES` parts, and zero in them."""
    while len(counts) > CODES and counts.sum() < _ENOUGH * len(counts):
        counts, edges = counts.reshape(-1, 2).sum(axis=1), edges[::2]
    parts = len(counts)
    zero = int(np.clip(np.searchsorted(edges, 0.0), 0, parts))
    ends = np.unique(np.linspace(max(CODES, zero), parts, _CANDIDATES).astype(int))
    end = min(ends, key=lambda e: (_divergence(counts, 0, e), -e))
    starts = np.unique(np.linspace(0, max(0, min(zero - 1, end - CODES)), _CANDIDATES).astype(int))
    start = min(starts, key=lambda s: (_divergence(counts, s, end), s))
    return float(edges[start]), float(edges[end])


def _divergence(counts: Array, start: int, end: int) -> float:
    """Of P from Q, both over the parts from `start` to `end`."""
    inside = counts[start:end].astype(np.float64)
    wanted = inside.copy()
    wanted[0] += counts[:start].sum()
    wanted[-1] += counts[end:].sum()
    code = np.arange(end - start) * CODES // (end - start)
    filled = np.bincount(code, inside > 0, CODES)
    even = np.bincount(code, inside, CODES) / np.maximum(filled, 1)
    kept = np.where(inside > 0, even[code], _EMPTY)
    seen = wanted > 0
    p, q = wanted[seen] / wanted.sum(), kept[seen] / kept[seen].sum()
    return float(np.sum(p * np.log(p / q)))


_METHODS: Mapping[str, Callable[[Array, Array, float | None], Range]] = {
    "minmax": _whole,
    "percentile": _percentile,
    "entropy": _entropy,
}

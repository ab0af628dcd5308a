"""Exact binomial intervals and tails, without scipy: the base installation has none.

interval of k of n    the p for which neither P(X >= k) nor P(X <= k) is below (1 - confidence) / 2
                      (Clopper and Pearson 1934)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

CONFIDENCE = 0.95
_BISECTIONS = 60  # from 1, to below the spacing of floats near 1


def proportion_interval(hits: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Where the probability of a hit lies; (0, 1) of no trials."""
    assert 0 <= hits <= count
    tail = (1 - confidence) / 2
    if count == 0:
        return 0.0, 1.0
    low = 0.0 if hits == 0 else _crossing(lambda p: upper_tail(hits, count, p) >= tail)
    high = 1.0 if hits == count else _crossing(lambda p: 1 - upper_tail(hits + 1, count, p) < tail)
    return low, high


def upper_tail(hits: int, count: int, probability: float) -> float:
    """P(X >= hits), summed in logarithms so that no term is lost in a long sum."""
    if probability <= 0:
        return float(hits <= 0)
    k = np.arange(hits, count + 1)
    logs = _log_choose(count)[hits:] + k * math.log(probability) + (count - k) * math.log1p(-probability)
    largest = float(logs.max(initial=-math.inf))
    return 0.0 if largest == -math.inf else min(1.0, math.exp(largest) * float(np.exp(logs - largest).sum()))


def two_sided_half(hits: int, count: int) -> float:
    """P of what is as unlikely as this or more so, of fair coins: exact, in whole numbers."""
    below = min(hits, count - hits)
    term, total = 1, 0
    for k in range(below + 1):
        total += term
        term = term * (count - k) // (k + 1)
    return min(1.0, _ratio(2 * total, count))


def _ratio(total: int, exponent: int) -> float:
    """total / 2^exponent, of integers that no float can hold."""
    shift = max(0, total.bit_length() - 64)
    return math.ldexp(float(total >> shift), shift - exponent)


def _log_choose(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(count + 1,): ln(count choose k)."""
    logs = np.log(np.arange(1, count + 1, dtype=np.float64))
    factorials = np.concatenate([[0.0], np.cumsum(logs)])
    chosen: np.ndarray[tuple[int], np.dtype[np.float64]] = factorials[-1] - factorials - factorials[::-1]
    return chosen


def _crossing(beyond: Callable[[float], bool]) -> float:
    """The smallest probability at which `beyond` holds; it holds from there on."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2

"""Quantiles of Student's t distribution, for intervals from few samples. No scipy: a board has none."""

from __future__ import annotations

import math

_BISECTIONS = 60  # from 1e6, down to 1e-12


def t_quantile(probability: float, degrees: int) -> float:
    """The value that a t-distributed variable stays below with this probability.

    Args:
        probability: between 0.5 and 1, both excluded.
        degrees: of freedom, at least 1.
    """
    assert 0.5 < probability < 1 and degrees >= 1
    low, high = 0.0, 1e6
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def t_probability(value: float, degrees: int) -> float:
    """The probability that a t-distributed variable stays below `value` >= 0.

    Exact for whole degrees of freedom: with theta = atan(value / sqrt(degrees)), a finite sum of powers of
    cos(theta) (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    theta = math.atan(value / math.sqrt(degrees))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(odd, degrees - 1, 2):
        total += term
        term *= cosine**2 * (k + 1) / (k + 2)
    between = 2 / math.pi * (theta + sine * total) if odd else sine * total
    return 0.5 + between / 2

"""Laws fitted to a few exact counts: y = a x^p, and y = c0 + c1 x (+ c2 x^2).

Least squares on the relative error: the smallest graph counts as much as the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Power:
    """y = factor * x^exponent; `worst` is the largest relative residual."""

    factor: float
    exponent: float
    worst: float


@dataclass(frozen=True)
class Polynomial:
    """y = sum_i coefficients[i] x^i; `worst` is the largest relative residual."""

    coefficients: tuple[float, ...]
    worst: float

    def share(self, power: int, x: float) -> float:
        """How much of y at x is the term of this power."""
        terms = [c * x**i for i, c in enumerate(self.coefficients)]
        return terms[power] / sum(terms)


def fit_power(x: Sequence[float], y: Sequence[float]) -> Power:
    """At least two points, all positive."""
    exponent, logarithm = np.polyfit(np.log(x), np.log(y), 1)
    fitted = np.exp(logarithm) * np.asarray(x, float) ** exponent
    return Power(float(np.exp(logarithm)), float(exponent), _worst(y, fitted))


def fit_polynomial(x: Sequence[float], y: Sequence[float], degree: int) -> Polynomial:
    """More points than `degree`, y positive."""
    scale = max(x)  # powers of a million pixels are no good to solve with
    columns = (np.asarray(x, float)[:, None] / scale) ** np.arange(degree + 1)  # (points, degree + 1)
    target = np.asarray(y, float)  # (points,)
    scaled = np.linalg.lstsq(columns / target[:, None], np.ones(len(target)), rcond=None)[0]
    coefficients = tuple(float(c / scale**i) for i, c in enumerate(scaled))
    return Polynomial(coefficients, _worst(y, columns @ scaled))


def _worst(y: Sequence[float], fitted: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.max(np.abs(fitted / np.asarray(y, float) - 1)))

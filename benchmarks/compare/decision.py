"""From the log-ratios of pairs of launches to a verdict.

    d_i = ln(median of B_i / median of A_i)     of pair i, whose two launches followed each other
    D   = mean of d without its lowest and highest fifth

    slower        p <= alpha   and  exp(D) >= 1 + margin
    faster        the same of -d
    no slower     exp(D) < 1 + margin with 95 % confidence over all looks,
                  and the estimate is not beyond the margin on the good side
    otherwise     more pairs; inconclusive when there are no more to come

A fifth on each side is left out since what disturbs a machine disturbs it by a lot: one launch that had to
share its core makes a pair of +50 % among pairs of +-1 %, and the plain mean would need thirty pairs to get
over it. It favours neither side: a disturbance meets both alike, as which of them goes first is drawn.

p is one-sided, of the t-test that belongs to such a mean (Tukey and McLaughlin 1963: winsorised variance),
times the number of looks (each look may err, so each has a share of alpha), and corrected by Benjamini and
Hochberg over everything that is compared in one call. The bounds are of the same t; "no slower" has its share
of 5 % at each look, too, or noise would pass three times as often as it should.

A regression needs both parts: p alone would call a real difference of 0.1 % a regression, given enough pairs;
the estimate alone would call noise one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evit_deploy.benchmarks.checks import Status
from evit_deploy.benchmarks.doctor.noise import ALPHA, MARGIN, POWER

Values = NDArray[np.float64]

# The share that is left out at each end.
_TRIMMED = 0.2
_NO_SPREAD = 1e-12
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rule:
    """When a difference is a regression.

    `margin` is the share that a model may get slower by, `looks` the numbers of pairs at which a decision is
    tried, `alpha` the probability of calling an unchanged model slower in one call, `power` the one that
    `Estimate.detectable` is found with.
    """

    margin: float = MARGIN
    alpha: float = ALPHA
    looks: tuple[int, ...] = (10, 20, 30)
    power: float = POWER

    def __post_init__(self) -> None:
        assert self.margin > 0 and 0 < self.alpha < 0.5 and self.looks == tuple(sorted(self.looks))
        assert self.looks[0] >= 2, "a spread needs two pairs"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def rule_of(margin: float, pairs: int) -> Rule:
    """With looks after a third, two thirds and all of the pairs, at least 6."""
    return Rule(margin=margin, looks=(pairs // 3, pairs * 2 // 3, pairs))


@dataclass(frozen=True)
class Estimate:
    """What the pairs so far say. `ratio` is candidate / baseline, between `low` and `high` with 95 %.

    `upper` is what "no slower" goes by: with 95 % over all looks the ratio is not above it. `p_slower` and
    `p_faster` are one-sided, times the number of looks. `detectable` is the smallest slowdown (a share) that
    the last look would find with probability `Rule.power`, if the noise stays as it was.
    """

    pairs: int
    ratio: float
    low: float
    high: float
    upper: float
    p_slower: float
    p_faster: float
    detectable: float


def estimate(log_ratios: Sequence[float], rule: Rule) -> Estimate:
    """Of at least two pairs."""
    values = np.asarray(log_ratios, dtype=np.float64)
    middle, looks = _trimmed(values), len(rule.looks)
    half = _bound(values, (1 + _CONFIDENCE) / 2) - middle
    return Estimate(
        pairs=len(values),
        ratio=math.exp(middle),
        low=math.exp(middle - half),
        high=math.exp(middle + half),
        upper=math.exp(_bound(values, 1 - (1 - _CONFIDENCE) / looks)),
        p_slower=min(1.0, looks * _p_greater(values)),
        p_faster=min(1.0, looks * _p_greater(-values)),
        detectable=_detectable(values, rule),
    )


def decide(found: Estimate, rule: Rule, p_slower: float, p_faster: float) -> Status | None:
    """The verdict; None where more pairs are needed.

    Args:
        found: see `Estimate`.
        rule: see `Rule`.
        p_slower: that of the estimate, corrected over everything that is compared; see `corrected`.
        p_faster: likewise.
    """
    if p_slower <= rule.alpha and found.ratio >= 1 + rule.margin:
        return Status.WORSE
    if found.ratio <= 1 / (1 + rule.margin):
        # Faster, or noise: a bound that is low because noise pushed it there proves nothing.
        return Status.BETTER if p_faster <= rule.alpha else None
    return Status.PASS if found.upper < 1 + rule.margin else None


def corrected(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's correction: of those called significant, a share of alpha is so by chance."""
    return [float(p) for p in stats.false_discovery_control(p_values)] if p_values else []


def _trimmed(values: Values) -> float:
    return float(stats.trim_mean(values, _TRIMMED))


def _error(values: Values) -> tuple[float, int]:
    """The standard error of the trimmed mean, and its degrees of freedom."""
    error = float(stats.mstats.trimmed_stde(values, limits=(_TRIMMED, _TRIMMED)))
    return error, len(values) - 2 * int(_TRIMMED * len(values)) - 1


def _bound(values: Values, confidence: float) -> float:
    """What the trimmed mean is below, with this confidence."""
    error, degrees = _error(values)
    return _trimmed(values) + float(stats.t.ppf(confidence, degrees)) * error


def _p_greater(values: Values) -> float:
    """The probability of a trimmed mean as great as this, or greater, where the true one is 0."""
    error, degrees = _error(values)
    middle = _trimmed(values)
    if error < _NO_SPREAD:
        return 0.0 if middle > _NO_SPREAD else 1.0
    return float(stats.t.sf(middle / error, degrees))


def _detectable(values: Values, rule: Rule) -> float:
    """Both parts of a regression must be found: its significance, and an estimate that reaches the margin."""
    error, _ = _error(values)
    pairs = max(rule.looks[-1], len(values))
    error *= math.sqrt(len(values) / pairs)
    degrees = pairs - 2 * int(_TRIMMED * pairs) - 1
    needed = float(stats.t.ppf(1 - rule.alpha / len(rule.looks), degrees)) * error
    reserve = float(stats.t.ppf(rule.power, degrees)) * error
    return math.expm1(max(needed, math.log1p(rule.margin)) + reserve)

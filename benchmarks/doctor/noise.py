"""How much a device wavers, from launches of one and the same graph under two names (an A/A run).

    d_i = ln(median of B_i / median of A_i)        of pair i; A and B take turns in going first
    detectable = (t(1 - a, n - 1) + t(power, n - 1)) * sd(d) / sqrt(n)    of n = 30 pairs

t is Student's quantile; a is alpha / 3, since a comparison looks three times (at 10, 20 and 30 pairs) and may
be wrong once in a hundred comparisons over all looks. `detectable` is a difference of logarithms: a change by
the factor exp(detectable).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evit_deploy.benchmarks.results import Measurement
from evit_deploy.benchmarks.student_t import t_quantile
from evit_deploy.benchmarks.summary import percentile

PAIRS, LOOKS, ALPHA, POWER = 30, 3, 0.01, 0.8
# The regression that is worth finding.
MARGIN = 0.03
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Noise:
    """What an A/A run says. All but `pairs` and `median_ns` are shares (0.01 is 1 %).

    `within` is the median over launches of (p90 - p10) / median. `between` is the standard deviation of the
    launches' medians, `pair` that of B's median over A's within a pair, in which drift cancels. B differed
    from A by `difference`, between `low` and `high` with 95 % confidence; 0 should lie between them.
    `detectable` is the smallest change that `PAIRS` pairs find with probability `POWER`; seen through as few
    pairs as these it may be as much as `detectable_at_most` (95 %).
    """

    pairs: int
    median_ns: float
    within: float
    between: float
    pair: float
    difference: float
    low: float
    high: float
    detectable: float
    detectable_at_most: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def noise_of(first: Measurement, second: Measurement) -> Noise:
    """Of two measurements whose launches took turns; at least four pairs."""
    samples = [[launch["samples_ns"] for launch in m.launches] for m in (first, second)]
    medians = [[statistics.median(launch) for launch in launches] for launches in samples]
    ratios = [math.log(b / a) for a, b in zip(*medians, strict=True)]
    count, mean, deviation = len(ratios), statistics.fmean(ratios), statistics.stdev(ratios)
    half = t_quantile((1 + _CONFIDENCE) / 2, count - 1) * deviation / math.sqrt(count)
    return Noise(
        pairs=count,
        median_ns=statistics.median(medians[0] + medians[1]),
        within=statistics.median(_spread(launch) for launches in samples for launch in launches),
        between=_share(statistics.stdev(math.log(m) for m in medians[0] + medians[1])),
        pair=_share(deviation),
        difference=_share(mean),
        low=_share(mean - half),
        high=_share(mean + half),
        detectable=_share(detectable(deviation)),
        detectable_at_most=_share(detectable(deviation * deviation_bound(count))),
    )


def detectable(deviation: float, pairs: int = PAIRS) -> float:
    """The smallest ln(B / A) that so many pairs find, where their standard deviation is `deviation`."""
    alpha = ALPHA / LOOKS
    return (t_quantile(1 - alpha, pairs - 1) + t_quantile(POWER, pairs - 1)) * deviation / math.sqrt(pairs)


def deviation_bound(count: int) -> float:
    """By which factor the true standard deviation may exceed that of `count` values, with 95 % confidence.

    sqrt((n - 1) / chi2(0.05, n - 1)); the quantile by Wilson and Hilferty, good to 4 % from 4 values on.
    """
    degrees = count - 1
    part = 2 / (9 * degrees)
    lower = statistics.NormalDist().inv_cdf(1 - _CONFIDENCE)
    ratio: float = (1 - part + lower * math.sqrt(part)) ** -1.5
    return ratio


def _spread(samples: Sequence[float]) -> float:
    return (percentile(samples, 90) - percentile(samples, 10)) / statistics.median(samples)


def _share(logarithm: float) -> float:
    """By which share something grows whose logarithm grows by this."""
    return math.expm1(logarithm)

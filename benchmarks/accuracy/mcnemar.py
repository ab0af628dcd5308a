"""McNemar's exact test: is one model right more often than another, on the same images?

    b   images that only the first has right        c   that only the second has right
    p          two-sided, of b among b + c fair coins
    interval   of (b - c) / n: Clopper's and Pearson's for x = b / (b + c), as (2 x - 1) (b + c) / n

Images that both have right, or both wrong, say nothing about which is better. The interval is conditional on
b + c, as the test is: it excludes 0 exactly where p < 0.05.
Source: McNemar 1947, Psychometrika 12; the exact form needs no correction for small counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from evit_deploy.benchmarks.accuracy.binomial import proportion_interval, two_sided_half


@dataclass(frozen=True, slots=True)
class Discordance:
    """b, c and the number of all images."""

    only_first: int
    only_second: int
    images: int


@dataclass(frozen=True, slots=True)
class McNemar:
    """`difference` and its 95 % `interval` as shares of all images; positive where the first is better."""

    counts: Discordance
    difference: float
    interval: tuple[float, float]
    p: float


def mcnemar(counts: Discordance) -> McNemar:
    """The test. Without any image that only one has right: difference 0, p 1, interval 0 to 0."""
    discordant = counts.only_first + counts.only_second
    share = discordant / counts.images
    low, high = proportion_interval(counts.only_first, discordant) if discordant else (0.5, 0.5)
    return McNemar(
        counts,
        difference=(counts.only_first - counts.only_second) / counts.images,
        interval=((2 * low - 1) * share, (2 * high - 1) * share),
        p=two_sided_half(counts.only_first, discordant),
    )

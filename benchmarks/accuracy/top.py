"""Outcomes of classification -> top-1, top-5, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evit_deploy.benchmarks.accuracy.binomial import proportion_interval
from evit_deploy.benchmarks.accuracy.mcnemar import Discordance, mcnemar
from evit_deploy.benchmarks.accuracy.outcome import TopOutcome


def top_metrics(outcomes: Sequence[TopOutcome], labels: Sequence[int]) -> dict[str, Any]:
    """Percent of images whose label is the best class, and among the best five; with exact 95 % intervals."""
    first = sum(correct(outcomes, labels))
    among = sum(label in outcome.top for outcome, label in zip(outcomes, labels, strict=True))
    count = len(outcomes)
    return {
        "images": count,
        "top1_percent": 100 * first / count,
        "top1_interval": _percent(proportion_interval(first, count)),
        "top5_percent": 100 * among / count,
        "top5_interval": _percent(proportion_interval(among, count)),
        "images_not_finite": sum(not outcome.top for outcome in outcomes),
    }


def correct(outcomes: Sequence[TopOutcome], labels: Sequence[int]) -> list[bool]:
    """Of each image, whether the label is the best class."""
    return [outcome.top[:1] == (label,) for outcome, label in zip(outcomes, labels, strict=True)]


def top_comparison(
    outcomes: Sequence[TopOutcome], reference: Sequence[TopOutcome], labels: Sequence[int]
) -> dict[str, Any]:
    """How often both say the same, and by how much their top-1 differs (this less the reference's)."""
    same = sum(a.top[:1] == b.top[:1] for a, b in zip(outcomes, reference, strict=True))
    pairs = list(zip(correct(outcomes, labels), correct(reference, labels), strict=True))
    test = mcnemar(Discordance(pairs.count((True, False)), pairs.count((False, True)), len(pairs)))
    return {
        "agreement_percent": 100 * same / len(pairs),
        "metric": "top1_percent",
        "difference": 100 * test.difference,
        "interval": _percent(test.interval),
        "method": "exact McNemar",
        "p": test.p,
        "only_this_right": test.counts.only_first,
        "only_reference_right": test.counts.only_second,
    }


def _percent(interval: tuple[float, float]) -> list[float]:
    return [100 * bound for bound in interval]

"""Profiles and predictions as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evit_deploy.benchmarks.latency_profile import LatencyProfile
from evit_deploy.benchmarks.predict import Estimate, Prediction

if TYPE_CHECKING:
    from rich.console import Console


PREDICTED = "predicted"


def predicted_cell(estimate: Estimate) -> str:
    """`19.6 ms (18.4-20.8)`; a `?` where the profile was not fitted on the like."""
    doubt = "?" if estimate.doubts else ""
    low, high = _figure(estimate.low_ms), _figure(estimate.high_ms)
    return f"{_figure(estimate.latency_ms)} ms ({low}-{high}){doubt}"


def predictions_note(predictions: Sequence[Prediction]) -> str:
    """What the column of predictions is."""
    first = predictions[0]
    conditions = first.conditions
    return (
        f"Predicted, not measured: profile {first.profile} (sha256 {first.profile_sha256[:12]}), "
        f"{conditions.runtime} {conditions.precision} on {_threads(conditions.threads)}; in brackets where "
        f"it lies with {first.predicted.coverage:.0%} probability. ? = unlike what the profile was fitted on."
    )


def print_profile(profile: LatencyProfile, console: Console) -> None:
    """The costs with their standard errors, and how well each pair is predicted from the others."""
    from rich import box
    from rich.table import Table

    table = Table(title="Leave-one-out", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("artifact", no_wrap=True)
    for name in ("latency ms", "predicted ms", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    for pair, error in zip(profile.pairs, profile.leave_one_out, strict=True):
        predicted = pair.latency_ms * (1 + error)
        table.add_row(pair.name, _figure(pair.latency_ms), _figure(predicted), f"{error:+.1%}")
    console.print(table)
    for index, (term, cost) in enumerate(zip(profile.terms, profile.ms_per_million, strict=True)):
        error = profile.covariance[index][index] ** 0.5
        console.print(f"{term.name}: {cost:.4g} +- {error:.2g} ms per million", markup=False)
    worst = max(abs(error) for error in profile.leave_one_out)
    console.print(f"spread {profile.spread:.1%}; leave-one-out errors up to {worst:.1%}")


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _figure(milliseconds: float) -> str:
    """Three significant digits, without an exponent."""
    if milliseconds >= 100:
        return f"{milliseconds:.0f}"
    return f"{milliseconds:.1f}" if milliseconds >= 10 else f"{milliseconds:.3g}"

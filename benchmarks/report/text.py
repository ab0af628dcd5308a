"""Numbers and sentences that several formats share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from evit_deploy.benchmarks.checks import Check, Report, Status, gravity

UNKNOWN = "-"
_EXACT_BELOW = 1e15  # whole numbers up to here are what a float64 holds, and are printed in full

# The report as a whole, in one sentence without its figures.
HEADLINES = {
    Status.PASS: "Pass: nothing is worse than it may be",
    Status.BETTER: "Pass: better, and nothing is worse",
    Status.WORSE: "Regression",
    Status.CHANGED: "Changed, and nobody said that it may",
    Status.INCONCLUSIVE: "Inconclusive: too little data for the noise",
    Status.INCOMPARABLE: "Not comparable: the two sides were not made or measured alike",
}


def number(value: float | None, digits: int = 3) -> str:
    """Significant digits without an exponent: `12.7`, `0.0415`, `1,234,567`; `-` where it is not known."""
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < _EXACT_BELOW:
        return f"{int(value):,}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{decimals}f}"


def round_number(value: float) -> str:
    """A number that is round already, as the ticks of a scale are: `0.2`, `2.5`, `1,000`."""
    return f"{value:,.9f}".rstrip("0").rstrip(".")


def with_unit(value: float | None, unit: str, *, exact: bool = False) -> str:
    """`12.7 ms`; `36.4 MB` of bytes, `211.8 M` of instructions; `-` where it is not known.

    `exact` is for round values, which lose nothing.
    """
    if value is None:
        return UNKNOWN
    text = round_number if exact else number
    if unit == "bytes" and abs(value) >= 1e6:
        return f"{text(value / 1e6)} MB"
    if unit == "dB":
        return f"{value:.1f} dB"
    if unit in ("instructions", "MACs") and abs(value) >= 1e6:
        return f"{round_number(value / 1e6)} M" if exact else f"{value / 1e6:,.1f} M"
    return f"{text(value)} {unit}".strip()


def change(ratio: float | None) -> str:
    """`+3.1 %` of 1.031; as many decimals as it takes to tell it from none."""
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    percent = 100 * (ratio - 1)
    decimals = 1 if percent == 0 or abs(percent) >= 0.1 else 3
    return f"{percent:+.{decimals}f} %"


def change_interval(check: Check) -> str:
    """`+0.3 % to +5.9 %`: of the ratio, with 95 % confidence."""
    if check.low is None or check.high is None:
        return UNKNOWN
    return f"{change(check.low)} to {change(check.high)}"


def tolerance(check: Check) -> str:
    """A share as percent, dB of parity."""
    if check.tolerance is None:
        return UNKNOWN
    return f"{check.tolerance:g} dB" if check.metric == "parity" else f"{100 * check.tolerance:g} %"


def tally(checks: Sequence[Check]) -> str:
    """`12 checks: 1 slower, 11 pass`, the gravest first."""
    counts = Counter(check.word for check in sorted(checks, key=lambda check: gravity(check.status)))
    plural = "check" if len(checks) == 1 else "checks"
    return f"{len(checks)} {plural}: " + ", ".join(f"{count} {word}" for word, count in counts.items())


def by_metric(checks: Sequence[Check]) -> str:
    """`2 macs, 2 operators`."""
    counts = Counter(check.metric for check in checks)
    return ", ".join(f"{count} {metric}" for metric, count in sorted(counts.items()))


def moment(iso: str) -> str:
    """`2026-11-22T03:04:05+00:00` -> `2026-11-22 03:04 UTC`; anything else as it is."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(?:\+00:00|Z)", iso)
    return f"{found[1]} {found[2]} UTC" if found else iso


def headline(report: Report) -> str:
    """What the report amounts to, and of how many checks."""
    return f"{HEADLINES[report.status]} ({tally(report.checks)})" if report.checks else "Nothing was compared"

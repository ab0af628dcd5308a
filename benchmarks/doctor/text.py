"""An examination as text, for a terminal of 100 columns or a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from evit_deploy.benchmarks.doctor.determinism import Determinism
from evit_deploy.benchmarks.doctor.examine import Examination
from evit_deploy.benchmarks.doctor.finding import Finding
from evit_deploy.benchmarks.doctor.noise import ALPHA, LOOKS, MARGIN, PAIRS, POWER, Noise
from evit_deploy.benchmarks.doctor.repeatability import Repeatability
from evit_deploy.benchmarks.fingerprint import fingerprint_id

_WIDTH = 100
_INDENT = " " * 21  # state and name
# Fewer pairs than those of a full run tell the order of magnitude.
_ROUGH_PAIRS = 10


def examination_text(examination: Examination) -> str:
    """All of it; ends without a line break."""
    lines = [f"{examination.device}: {_machine(examination.facts)}", ""]
    for finding in examination.findings:
        lines += _finding(finding)
    if examination.noise is not None:
        lines += ["", *_noise(examination.noise, examination.graph)]
    if examination.determinism is not None:
        lines += ["", *_determinism(examination.determinism, examination.graph)]
    if examination.repeatability is not None:
        lines += ["", *_repeatability(examination.repeatability, examination.graph)]
    return "\n".join(lines)


def _machine(facts: Mapping[str, Any]) -> str:
    parts = [facts.get("board"), f"{', '.join(facts['cpu_models'])}"]
    parts += [f"{len(facts['cores'])} cores"] if "cores" in facts else []
    parts += [f"Linux {facts['kernel']}" if "kernel" in facts else None, facts.get("libc")]
    return ", ".join(part for part in parts if part) + f"; fingerprint {fingerprint_id(facts)}"


def _finding(finding: Finding) -> list[str]:
    """What was found, and below it what it does and what mends it."""
    lines = _wrapped(finding.found, f"{finding.state:8} {finding.name:12}")
    if finding.why is not None:
        lines += _wrapped(finding.why, _INDENT)
    if finding.command is not None:
        # On a line of its own and never broken, to be copied.
        lines.append(f"{_INDENT}  {'(root) ' if finding.root else ''}{finding.command}")
    return lines


def _wrapped(text: str, first: str) -> list[str]:
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent=first, subsequent_indent=_INDENT, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def _noise(noise: Noise, graph: str) -> list[str]:
    rough = "; a first look, run it without --quick" if noise.pairs < _ROUGH_PAIRS else ""
    return [
        f"{graph} against itself, {noise.pairs} pairs of launches{rough}:",
        _figure("median", f"{_three_digits(noise.median_ns / 1e6)} ms"),
        _figure("within a launch", f"{noise.within:.2%}  (p90 - p10) / median"),
        _figure("between launches", f"{noise.between:.2%}  standard deviation of their medians"),
        _figure("within a pair", f"{noise.pair:.2%}  standard deviation of B / A"),
        _figure("B against A", f"{noise.difference:+.2%}  ({noise.low:+.2%} to {noise.high:+.2%})"),
        f"smallest change that {PAIRS} pairs can detect: {noise.detectable:.2%} (at most "
        f"{noise.detectable_at_most:.2%} with 95 % confidence)",
        f"  one-sided alpha {ALPHA} over {LOOKS} looks, power {POWER}, t-interval over log-ratios of pairs",
        _verdict(noise),
    ]


def _verdict(noise: Noise) -> str:
    if noise.detectable_at_most <= MARGIN:
        return f"  good enough for regressions of {MARGIN:.0%}"
    if noise.detectable <= MARGIN:
        return f"  probably good enough for regressions of {MARGIN:.0%}; measure longer to be sure"
    return f"  NOT good enough for regressions of {MARGIN:.0%}: mend what is said above, and look again"


def _determinism(determinism: Determinism, graph: str) -> list[str]:
    totals = ", ".join(f"{total:,}" for total in determinism.totals)
    moved = ", ".join(f"{name} by {count:,}" for name, count in determinism.moved.items())
    verdict = "exact" if determinism.exact else "NOT as exact as it should be: run it again, then report it"
    arithmetic = "identical" if determinism.arithmetic else "DIFFERENT"
    return [
        f"{graph}, {len(determinism.totals)} launches: {verdict}",
        _figure("instructions", f"{totals}  ({determinism.spread:.4%} apart)"),
        _figure("arithmetic", arithmetic),
        _figure("what moved", moved or "nothing"),
    ]


def _repeatability(repeatability: Repeatability, graph: str) -> list[str]:
    times = ", ".join(f"{time:,}" for time in repeatability.times_ns)
    verdict = "it repeats" if repeatability.good else "it does NOT repeat as it should: report it"
    return [
        f"{graph}, {len(repeatability.times_ns)} launches: {verdict}",
        _figure("instruction time", f"{times} ns  ({repeatability.spread:.4%} apart)"),
    ]


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _figure(name: str, value: str) -> str:
    return f"  {name:18} {value}"

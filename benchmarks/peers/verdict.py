"""Whether an engine computes the model: the bar is the one that our own exports have to pass.

For each sample the export's verification demands an SQNR, from the noise of the reference's own float32 run:
see exporters/tolerance.py. An engine that misses it on one sample is wrong, however fast it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """`worst_db` is the lowest SQNR over the samples, None where an output is not finite or there is none.

    `wrong` says what is wrong, None where nothing is.
    """

    worst_db: float | None
    wrong: str | None
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether it may be timed."""
        return self.wrong is None


def verdict_of(found: Mapping[str, Any]) -> Verdict:
    """From what `verify_pass` gave."""
    samples: Mapping[str, Mapping[str, Any]] = found["samples"]
    levels = [compared["sqnr_db"] for compared in samples.values()]
    worst = None if None in levels else min(levels)
    reasons = [reason for name, compared in samples.items() if (reason := _reason(name, compared))]
    return Verdict(worst, reasons[0] if reasons else None, samples, found["runtime"])


def _reason(sample: str, compared: Mapping[str, Any]) -> str | None:
    if not compared["finite"]:
        return f"NaN or infinity on '{sample}'"
    if compared["sqnr_db"] < compared["required_db"]:
        return f"{compared['sqnr_db']:.1f} dB on '{sample}', {compared['required_db']:.1f} required"
    return None

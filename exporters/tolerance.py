"""How far an export may lie from its reference, per precision, and why.

Reference: the published mathematics in float64. Noise floor: the same module in float32 against it, measured
on the very input of the check (`make noise-floor` prints it for every model). Over all B models,
noise, zeros, 1e4-scaled, negative and real inputs it lies between 123 and 131 dB SQNR.

fp32: an export may lie 20 dB below its own floor, and never has to beat 100 dB.
    - Other summation orders, fused multiply-adds and the runtimes' own Hardswish cost up to 10 dB below the
      floor, measured (TFLite B1: 119.6 dB at a floor of 130); 20 dB leaves as much again.
    - A real difference is far outside: see tests/exporters/test_tolerance.py for what wrong graphs give.
    - Worst element: 1e-4 of the output's rms; at 100 dB, even noise reaches 5e-5 in a million values.
    - Class maps: 99.9 % of the pixels; only pixels whose two best logits lie within the noise may differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from evit_deploy.parity import Comparison


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bounds on a `Comparison`. `below_floor_db` is counted from the measured noise floor."""

    sqnr_db: float
    below_floor_db: float
    max_rel_rms: float
    agreement: float


TOLERANCES: dict[str, Tolerance] = {
    "fp32": Tolerance(sqnr_db=100.0, below_floor_db=20.0, max_rel_rms=1e-4, agreement=0.999),
}


def required_sqnr_db(tolerance: Tolerance, floor_db: float) -> float:
    """The SQNR that an export must reach where the reference's own float32 noise floor is `floor_db`."""
    return min(tolerance.sqnr_db, floor_db - tolerance.below_floor_db)


def failure(comparison: Comparison, tolerance: Tolerance, floor_db: float, *, classes: bool) -> str | None:
    """What is out of tolerance, in words; `None` where nothing is.

    Args:
        classes: the output holds class indices, for which only agreement means something.
    """
    if not comparison.finite:
        return "the output has NaN or infinity in it"
    if classes:
        if comparison.agreement < tolerance.agreement:
            return f"{comparison.agreement:.4%} of the classes agree, at least {tolerance.agreement:.1%} must"
        return None
    required = required_sqnr_db(tolerance, floor_db)
    if comparison.sqnr_db < required:
        return f"SQNR is {comparison.sqnr_db:.1f} dB, at least {required:.1f} dB is required"
    # A worse floor loosens the worst element as much as the mean.
    allowed = tolerance.max_rel_rms * 10 ** ((tolerance.sqnr_db - required) / 20)
    if comparison.max_rel_rms > allowed:
        return (
            f"one value is off by {comparison.max_rel_rms:.2g} of the output's rms, {allowed:.2g} is allowed"
        )
    return None

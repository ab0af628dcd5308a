"""How far a candidate's output lies from its reference's: the figures, and the tolerance per precision.

    noise  = candidate - reference
    SQNR   = 10 log10( sum(reference^2) / sum(noise^2) )      in dB, higher is closer
    rel    = max|noise| / rms(reference)

All sums are taken in float64. Nothing here knows a framework: numpy arrays in, numbers out.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

# A noise of exactly zero has no finite SQNR; JSON has no infinity. 300 dB is beyond what float64 resolves.
SQNR_EXACT_DB = 300.0


@dataclass(frozen=True)
class Comparison:
    """One output of a candidate against the reference's.

    `agreement` is the share of positions (one a sample for classification, one a pixel for segmentation)
    at which both have their largest class in the same place; 1.0 where there is no class axis to compare.
    """

    max_abs: float
    max_rel_rms: float
    sqnr_db: float
    cosine: float
    agreement: float
    finite: bool

    def as_dict(self) -> dict[str, float | bool]:
        """Plain values for JSON. A candidate with NaN in it has null where a number would be meaningless."""
        return {k: (v if math.isfinite(v) else None) for k, v in asdict(self).items()}  # type: ignore[misc]


def compare_outputs(reference: Array, candidate: Array, *, class_axis: int | None = 1) -> Comparison:
    """Compare two outputs of the same shape.

    Args:
        reference: any shape, any real dtype.
        candidate: the same shape.
        class_axis: axis of the classes for `agreement`; `None` for outputs that are class indices themselves
            (then `agreement` is the share of equal values).

    Raises:
        ValueError: the shapes differ.
    """
    if reference.shape != candidate.shape:
        raise ValueError(f"shapes differ: reference {reference.shape}, candidate {candidate.shape}")
    ref = reference.astype(np.float64)
    cand = candidate.astype(np.float64)
    same = ref == cand if class_axis is None else ref.argmax(class_axis) == cand.argmax(class_axis)
    agreement = float(np.mean(same))
    if not bool(np.isfinite(cand).all()):
        return Comparison(math.nan, math.nan, math.nan, math.nan, agreement, finite=False)
    noise = cand - ref
    signal_power = float(np.sum(ref * ref))
    noise_power = float(np.sum(noise * noise))
    rms = math.sqrt(signal_power / max(ref.size, 1))
    max_abs = float(np.abs(noise).max(initial=0.0))
    norms = math.sqrt(signal_power) * float(np.linalg.norm(cand))
    return Comparison(
        max_abs=max_abs,
        max_rel_rms=0.0 if max_abs == 0.0 else max_abs / rms if rms > 0.0 else math.inf,
        sqnr_db=sqnr_db(signal_power, noise_power),
        cosine=float(np.sum(ref * cand)) / norms if norms > 0.0 else float(noise_power == 0.0),
        agreement=agreement,
        finite=True,
    )


def sqnr_db(signal_power: float, noise_power: float) -> float:
    """Signal to quantisation-noise ratio in dB; `SQNR_EXACT_DB` for no noise, its negative for no signal."""
    if noise_power == 0.0:
        return SQNR_EXACT_DB
    if signal_power == 0.0:
        return -SQNR_EXACT_DB
    return min(10.0 * math.log10(signal_power / noise_power), SQNR_EXACT_DB)

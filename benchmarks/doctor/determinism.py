"""Whether an emulated device counts the same in every launch, class by class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from evit_deploy.benchmarks.results import Measurement
from evit_deploy.benchmarks.summary import inference_counts

# Instructions that only kernels execute; the others are also those of locks, allocators and bookkeeping.
ARITHMETIC = (
    "simd_fma_fp32",
    "simd_fma_fp16",
    "simd_dot_int8",
    "simd_matmul_int8",
    "simd_bf16",
    "sve",
    "sme",
)
# The most that totals of two launches were seen to differ by.
TOLERANCE = 0.0002


@dataclass(frozen=True)
class Determinism:
    """What some launches of one graph say.

    `totals` are instructions of one inference by launch, `spread` their range over the least, as a share.
    `arithmetic` says whether all of `ARITHMETIC` are equal; `moved` names classes that were not, with their
    range.
    """

    totals: tuple[int, ...]
    spread: float
    arithmetic: bool
    moved: dict[str, int]

    @property
    def exact(self) -> bool:
        """Whether this device counts as it should."""
        return self.arithmetic and self.spread <= TOLERANCE

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "exact": self.exact}


def determinism_of(measurement: Measurement) -> Determinism:
    """Of at least two launches."""
    launches = [inference_counts(launch["counts"]) for launch in measurement.launches]
    names = sorted({name for counts in launches for name in counts})
    ranges = {name: _range([counts.get(name, 0) for counts in launches]) for name in names}
    totals = tuple(sum(counts.values()) for counts in launches)
    return Determinism(
        totals=totals,
        spread=_range(list(totals)) / min(totals),
        arithmetic=not any(ranges.get(name, 0) for name in ARITHMETIC),
        moved={name: moved for name, moved in ranges.items() if moved},
    )


def _range(values: list[int]) -> int:
    return max(values) - min(values)

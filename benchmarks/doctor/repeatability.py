"""Whether an emulated board gives the same instruction time in every launch."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from evit_deploy.benchmarks.results import Measurement

# Five times what the medians of launches were seen to differ by, on B0 and B1 (docs/qemu-system.md).
TOLERANCE = 0.001


@dataclass(frozen=True)
class Repeatability:
    """What some launches of one graph say.

    `times_ns` are the launches' median instruction times, `spread` their range over the least, as a share.
    """

    times_ns: tuple[int, ...]
    spread: float

    @property
    def good(self) -> bool:
        """Whether this board repeats as it should."""
        return self.spread <= TOLERANCE

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "good": self.good}


def repeatability_of(measurement: Measurement) -> Repeatability:
    """Of at least two launches."""
    times = tuple(int(statistics.median(launch["samples_ns"])) for launch in measurement.launches)
    return Repeatability(times, (max(times) - min(times)) / min(times))

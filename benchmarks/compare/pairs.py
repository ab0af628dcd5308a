"""The launches of a comparison: pairs that follow each other, in an order that nothing can follow.

    pair 1  A B    pair 2  B A    |  pair 3  B A    pair 4  A B    |  ...

Of every two pairs one goes first by the baseline and one by the candidate; which is drawn. What drifts evenly
cancels within two pairs, and what comes and goes by a clock of its own does not meet one side only.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.plan import Plan, job_of
from evit_deploy.benchmarks.results import LATENCY, Subject
from evit_deploy.benchmarks.throttle import throttling
from evit_deploy.devices import Device

Say = Callable[[str], None]
Launch = dict[str, Any]

BASELINE_FIRST, CANDIDATE_FIRST = "AB", "BA"


@dataclass(frozen=True)
class Side:
    """One of the two artifacts."""

    path: Path
    subject: Subject


@dataclass(frozen=True)
class Pair:
    """Two launches that followed each other."""

    order: str
    baseline: Launch
    candidate: Launch

    @property
    def log_ratio(self) -> float:
        """ln(candidate's median / baseline's)."""
        return math.log(median_ns(self.candidate) / median_ns(self.baseline))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"order": self.order, "baseline": self.baseline, "candidate": self.candidate}


def median_ns(launch: Mapping[str, Any]) -> float:
    """Of a launch's samples."""
    return float(statistics.median(launch["samples_ns"]))


def orders(seed: str) -> Iterator[str]:
    """See above; the same for the same seed."""
    generator = random.Random(seed)
    while True:
        first = generator.choice((BASELINE_FIRST, CANDIDATE_FIRST))
        yield first
        yield CANDIDATE_FIRST if first == BASELINE_FIRST else BASELINE_FIRST


@dataclass
class Series:
    """The pairs of one artifact on one open device."""

    name: str
    device: Device
    baseline: Side
    candidate: Side
    plan: Plan
    pairs: list[Pair] = field(default_factory=list)
    discarded: int = 0

    def __post_init__(self) -> None:
        self._orders = orders(f"{self.plan.seed}/{self.name}/{self.device.label}")
        self._jobs = [job_of(self.device, side.path, self.plan) for side in (self.baseline, self.candidate)]

    @property
    def log_ratios(self) -> list[float]:
        """One for each pair."""
        return [pair.log_ratio for pair in self.pairs]

    def take_pair(self, say: Say) -> None:
        """One pair more. If one of its launches was throttled both are taken again, after a pause.

        Where that happens as often as there are pairs, the device cannot do better, and pairs are taken as
        they are.
        """
        order = next(self._orders)
        while True:
            say(f"{self.name} on {self.device.label}, pair {len(self.pairs) + 1}")
            launches = {side: self._launch(side) for side in order}
            reasons = [reason for launch in launches.values() for reason in launch["throttled"]]
            if not reasons or self.discarded > len(self.pairs):
                self.pairs.append(Pair(order, launches["A"], launches["B"]))
                return
            self.discarded += 1
            say(f"throttled, to be run again in {self.plan.cool_s:.0f} s: {reasons[0]}")
            time.sleep(self.plan.cool_s)

    def _launch(self, side: str) -> Launch:
        launch = self.device.run_agent({**self._jobs["AB".index(side)], "mode": LATENCY})
        return {**launch, "throttled": throttling(launch)}

    def as_dict(self) -> dict[str, Any]:
        """The raw data, for JSON."""
        pairs = [pair.as_dict() for pair in self.pairs]
        return {
            "artifact": self.name,
            "device": self.device.label,
            "discarded": self.discarded,
            "pairs": pairs,
        }

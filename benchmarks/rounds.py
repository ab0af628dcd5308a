"""The launches of some artifacts on one device, round by round, those of an interrupted run included.

    round 1: A B C, round 2: C B A, round 3: A B C ...; then memory: A B C

A launch that was throttled is discarded, but kept in the result, and taken again after a pause; where that
happens as often as there are launches, the device cannot do better: its launches are then taken as they are,
and say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.plan import Plan, job_of
from evit_deploy.benchmarks.results import COUNT, INSTRUCTION_TIME, LATENCY, Measurement, Subject
from evit_deploy.benchmarks.throttle import throttling
from evit_deploy.devices import Device

Say = Callable[[str], None]

# What the agent does for a figure. It times an inference in the same way by whatever clock there is.
_MODES: Mapping[str, str] = {LATENCY: "latency", COUNT: "count", INSTRUCTION_TIME: "latency"}


@dataclass
class Series:
    """What has been measured of one artifact so far."""

    path: Path
    subject: Subject
    launches: list[dict[str, Any]] = field(default_factory=list)
    discarded: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, Any] | None = None
    job: Mapping[str, Any] = field(default_factory=dict)

    def take_over(self, earlier: Measurement) -> None:
        """Go on from there."""
        self.launches, self.discarded = list(earlier.launches), list(earlier.discarded)
        self.memory = earlier.memory


class Rounds:
    """All launches on one device, which is opened and closed by the caller.

    Args:
        device: see `Device`.
        artifacts: path and description of each.
        plan: see `Plan`.
        earlier: what an interrupted run measured, on whichever devices.
    """

    def __init__(
        self,
        device: Device,
        artifacts: Sequence[tuple[Path, Subject]],
        plan: Plan,
        earlier: Sequence[Measurement] = (),
    ) -> None:
        self.device, self._plan = device, plan
        self._kind = device.figure
        self._wanted = plan.count_launches if device.emulated else plan.launches
        self._series = [Series(path, subject) for path, subject in artifacts]
        known = {(m.subject.sha256, m.subject.name): m for m in earlier if m.device == device.label}
        for series in self._series:
            key = (series.subject.sha256, series.subject.name)
            if key in known:
                series.take_over(known[key])

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return all(
            len(s.launches) == self._wanted and (self.device.emulated or s.memory is not None)
            for s in self._series
        )

    def run(self, say: Say) -> None:
        """Take what is missing.

        Raises:
            UserError, SetupError: see `Device.run_agent`.
        """
        for series in self._series:
            series.job = job_of(self.device, series.path, self._plan)
        for number in range(self._wanted):
            for series in self._series if number % 2 == 0 else reversed(self._series):
                if len(series.launches) <= number:
                    say(
                        f"{series.subject.name} on {self.device.label}, launch {number + 1} of {self._wanted}"
                    )
                    series.launches.append(self._launch(series, say))
        for series in self._series:
            if not self.device.emulated and series.memory is None:
                say(f"{series.subject.name} on {self.device.label}, memory")
                series.memory = self.device.run_agent({**series.job, "mode": "memory"})

    def _launch(self, series: Series, say: Say) -> dict[str, Any]:
        """One that counts; `throttled` has what speaks against it where even so there is something."""
        while True:
            launch = self.device.run_agent({**series.job, "mode": _MODES[self._kind]})
            reasons = [] if self.device.emulated else throttling(launch)
            launch = {**launch, "throttled": reasons}
            if not reasons or len(series.discarded) >= self._wanted:
                return launch
            series.discarded.append(launch)
            say(f"throttled, to be run again in {self._plan.cool_s:.0f} s: {reasons[0]}")
            time.sleep(self._plan.cool_s)

    def measurements(self) -> list[Measurement]:
        """Of every artifact that has a launch."""
        return [
            Measurement(
                *(s.subject, self.device.label, self._kind, self._plan.threads, tuple(s.launches), s.memory),
                discarded=tuple(s.discarded),
            )
            for s in self._series
            if s.launches
        ]

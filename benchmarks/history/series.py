"""Points -> series of what can be compared, with the changes in them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from evit_deploy.benchmarks.history.levels import exact_changes, new_levels
from evit_deploy.benchmarks.history.points import INSTRUCTIONS, Point


@dataclass(frozen=True)
class Series:
    """The points of one artifact, device, fingerprint and metric, in order of time; at least one."""

    points: tuple[Point, ...]

    @property
    def values(self) -> list[float]:
        """The figures."""
        return [point.value for point in self.points]

    @property
    def levels(self) -> list[Sequence[Point]]:
        """The points from one change to the next; the first level begins with the series."""
        begins = [0, *(i for i, point in enumerate(self.points) if point.change), len(self.points)]
        return [self.points[a:b] for a, b in pairwise(begins)]

    @property
    def steps(self) -> list[float]:
        """Of every change, how much larger the new level is than the one before; shares: 0.05 is 5 %."""
        medians = [statistics.median(point.value for point in level) for level in self.levels]
        return [after / before - 1 for before, after in pairwise(medians)]

    @property
    def slower(self) -> bool:
        """Whether the newest level is slower than the one before it."""
        return bool(self.steps) and self.steps[-1] > 0


def series_of(points: Iterable[Point]) -> list[Series]:
    """Group, sort and find the changes; ordered by artifact, device, metric and first date."""
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in sorted(points, key=lambda point: point.date):
        key = (point.artifact, point.device, point.metric, point.fingerprint)
        groups.setdefault(key, []).append(point)
    # Stable: within what is the same but for its fingerprint, the oldest stays first.
    return [_with_changes(groups[key]) for key in sorted(groups, key=lambda key: key[:3])]


def newest(series: Iterable[Series]) -> list[Series]:
    """Of what is the same but for its fingerprint, the one that goes on: that of the newest point."""
    last: dict[tuple[str, ...], Series] = {}
    for one in sorted(series, key=lambda one: one.points[-1].date):
        point = one.points[-1]
        last[point.artifact, point.device, point.metric] = one
    return list(last.values())


def _with_changes(points: Sequence[Point]) -> Series:
    find = exact_changes if points[0].metric == INSTRUCTIONS else new_levels
    changes = set(find([point.value for point in points]))
    return Series(tuple(replace(point, change=index in changes) for index, point in enumerate(points)))

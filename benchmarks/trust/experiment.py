"""How often a comparison cries wolf, and how often it misses: made many times where the truth is known.

    A/A      a model against itself                  slower or faster is a false alarm
    power    a model against itself, made slower     no slower is a miss, inconclusive is lack of power

How many operators cost how much is found first, with far more of them than are used: a slowdown by half is
measured to a few percent of itself where one by a twentieth would drown.
"""

from __future__ import annotations

import math
import shutil
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evit_deploy.artifact import check_path
from evit_deploy.benchmarks.checks import Status
from evit_deploy.benchmarks.compare.decision import Rule
from evit_deploy.benchmarks.compare.run import COMPARE_PLAN, compare_latency
from evit_deploy.benchmarks.trust.slowed import slow_down
from evit_deploy.devices import Device

Say = Callable[[str], None]

# Of the file that the cost of an operator is found with: several times what the largest slowdown needs.
_PROBE_OPERATORS = 2400
_PROBE_RULE = Rule(looks=(12,), margin=0.01)


@dataclass(frozen=True)
class Trial:
    """One comparison. `slowdown` is the truth: a share, 0 of a model against itself."""

    slowdown: float
    seed: int
    status: str
    pairs: int
    ratio: float
    low: float
    high: float
    detectable: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Tally:
    """Verdicts on one slowdown."""

    slowdown: float
    runs: int
    verdicts: dict[str, int]
    pairs: float  # median
    estimate: float  # median over runs, a share
    detectable: float  # median


class Experiment:
    """Comparisons of one TFLite file on one device.

    Args:
        graph: the file.
        device: closed; not emulated.
        folder: for the slowed files.
        say: is told each comparison as it begins.
    """

    def __init__(self, graph: Path, device: Device, folder: Path, say: Say) -> None:
        self._graph, self._device, self._folder, self._say = graph, device, folder, say
        self._share_of_operator: float | None = None

    def trials(self, slowdown: float, seeds: Sequence[int]) -> Iterator[Trial]:
        """Comparisons with a model that is slower by `slowdown`; 0: the model itself."""
        candidate = self._slowed(slowdown) if slowdown else self._graph
        for seed in seeds:
            self._say(f"slowdown {slowdown:.0%}, comparison {seed + 1}")
            yield self._trial(candidate, slowdown, seed)

    def operators_for(self, slowdown: float) -> int:
        """How many operators make the model slower by this share."""
        if self._share_of_operator is None:
            self._say("how much an operator costs")
            probe = self._write(_PROBE_OPERATORS)
            ratio = self._compare(probe, _PROBE_RULE, seed=0).ratio
            assert ratio is not None
            self._share_of_operator = (ratio - 1) / _PROBE_OPERATORS
        return max(2, round(slowdown / self._share_of_operator))

    def _slowed(self, slowdown: float) -> Path:
        return self._write(self.operators_for(slowdown))

    def _write(self, operators: int) -> Path:
        path = self._folder / f"{self._graph.stem}-slower-by-{operators}.tflite"
        slow_down(self._graph, operators, path)
        # So that each launch checks that it still computes the same.
        if check_path(self._graph).is_file():
            shutil.copy(check_path(self._graph), check_path(path))
        return path

    def _trial(self, candidate: Path, slowdown: float, seed: int) -> Trial:
        check = self._compare(candidate, Rule(), seed)
        numbers = (check.pairs, check.ratio, check.low, check.high, check.detectable)
        return Trial(slowdown, seed, check.status.value, *numbers)

    def _compare(self, candidate: Path, rule: Rule, seed: int) -> Any:
        plan = replace(COMPARE_PLAN, seed=seed)
        pairs = [(self._graph, candidate)]
        (check,) = compare_latency(pairs, [self._device], plan, rule, lambda step: None).checks
        return check


def tally(trials: Sequence[Trial]) -> list[Tally]:
    """By slowdown."""
    groups: dict[float, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.slowdown, []).append(trial)
    return [_tally(slowdown, group) for slowdown, group in sorted(groups.items())]


def _tally(slowdown: float, trials: Sequence[Trial]) -> Tally:
    counted = Counter(trial.status for trial in trials)
    return Tally(
        slowdown=slowdown,
        runs=len(trials),
        verdicts={status.value: counted[status.value] for status in SHOWN},
        pairs=statistics.median(trial.pairs for trial in trials),
        estimate=math.expm1(statistics.median(math.log(trial.ratio) for trial in trials)),
        detectable=statistics.median(trial.detectable for trial in trials),
    )


SHOWN = (Status.BETTER, Status.PASS, Status.INCONCLUSIVE, Status.WORSE)

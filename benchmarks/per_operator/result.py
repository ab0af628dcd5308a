"""A profile: what each operator of a graph takes on a device, in nanoseconds or in instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from evit_deploy.benchmarks.per_operator.operator import Operator

# History: 1 = first version.
SCHEMA_VERSION = 1
IN_PLACE, ALONE = "in place", "alone"
NANOSECONDS, INSTRUCTIONS = "ns", "instructions"


@dataclass(frozen=True)
class Cost:
    """An operator and what it takes.

    On a real device `samples_ns` has every sample and `begin_ns` says when it began in the run that
    `Profile.run_ns` is of (None where it was run alone). Under emulation `classes` has its instructions by
    class, less those of calling a graph. An operator that is computed at load has neither.
    """

    operator: Operator
    amount: float  # median nanoseconds, or instructions
    samples_ns: tuple[int, ...] = ()
    begin_ns: int | None = None
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """All operators of one graph on one device.

    `unit` is `NANOSECONDS` or `INSTRUCTIONS`. `whole` is the whole graph in that unit, measured by itself;
    `call` what a graph that does next to nothing takes. `how` is `IN_PLACE` (the profiler inside the whole
    graph) or `ALONE` (each operator as a graph of its own). `profiled_whole` is the whole graph while it was
    profiled, which costs something itself; None where no profiler ran.
    """

    artifact: str
    sha256: str
    device: str
    runtime: Mapping[str, Any]
    unit: str
    how: str
    whole: float
    call: float
    costs: tuple[Cost, ...]
    profiled_whole: float | None = None
    schema: int = SCHEMA_VERSION

    @property
    def total(self) -> float:
        """The sum over the operators."""
        return sum(cost.amount for cost in self.costs)

    @property
    def rest(self) -> float:
        """What is in the whole graph and in no operator, nor in calling it; may be negative."""
        return (self.profiled_whole or self.whole) - self.call - self.total

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        costs = [
            {**asdict(cost), "stage": cost.operator.stage, "ideal": cost.operator.ideal}
            for cost in self.costs
        ]
        return {**asdict(self), "costs": costs, "total": self.total, "rest": self.rest}


def profile_from_dict(data: Mapping[str, Any]) -> Profile:
    """Rebuild a profile from JSON.

    Raises:
        KeyError, TypeError, ValueError: `data` is not one.
    """
    if data["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema {data['schema']}")
    # What is derived is derived again.
    values = {name: value for name, value in data.items() if name not in ("total", "rest")}
    return Profile(**{**values, "costs": tuple(_cost_from_dict(cost) for cost in data["costs"])})


def _cost_from_dict(data: Mapping[str, Any]) -> Cost:
    values = {name: value for name, value in data.items() if name not in ("stage", "ideal")}
    own = {"operator": Operator(**data["operator"]), "samples_ns": tuple(data["samples_ns"])}
    return Cost(**{**values, **own})


@dataclass(frozen=True)
class Group:
    """Operators that have something in common, added up."""

    name: str
    count: int
    amount: float
    macs: int
    ideal: float
    ideal_amount: float  # of those operators that have an ideal
    output_elements: int

    @property
    def ratio(self) -> float | None:
        """How many times its ideal; None where nothing is multiplied."""
        return self.ideal_amount / self.ideal if self.ideal else None


def group(profile: Profile, key: Callable[[Operator], str]) -> list[Group]:
    """Operators by `key`, the most expensive group first."""
    groups: dict[str, list[Cost]] = {}
    for cost in profile.costs:
        groups.setdefault(key(cost.operator), []).append(cost)
    added = [add_up(name, costs) for name, costs in groups.items()]
    return sorted(added, key=lambda g: -g.amount)


def add_up(name: str, costs: list[Cost]) -> Group:
    """One group of some operators."""
    return Group(
        name=name,
        count=len(costs),
        amount=sum(cost.amount for cost in costs),
        macs=sum(cost.operator.macs for cost in costs),
        ideal=sum(cost.operator.ideal or 0 for cost in costs),
        ideal_amount=sum(cost.amount for cost in costs if cost.operator.ideal),
        output_elements=sum(cost.operator.output_elements for cost in costs),
    )

"""A device profile: what turns instruction counts into a latency that nobody has measured. JSON, versioned.

    latency_ms = sum over terms of ms_per_million * (instructions of the term's classes) / 1e6

A profile holds what it was fitted on and how well, so that a prediction can say how far to trust it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.errors import Exit, UserError

# History: 1 = first version.
SCHEMA_VERSION = 1
SHIPPED = Path(__file__).with_name("profiles")
SUFFIX = ".profile.json"
MEGA = 1e6

Counts = Mapping[str, float]  # instruction class -> instructions of one inference


@dataclass(frozen=True)
class Term:
    """A group of instruction classes with one cost. `classes` None stands for all of them.

    `grows_from` (millions of instructions of the whole graph) makes a cost that grows with the logarithm of
    the graph's size, from nothing at that size: the larger a graph, the less of it stays in the caches.
    """

    name: str
    classes: tuple[str, ...] | None
    grows_from: float | None = None

    def millions(self, counts: Counts) -> float:
        """Instructions of this group, in millions; of one that grows, times ln(size / grows_from)."""
        classes = counts if self.classes is None else self.classes
        own = sum(counts.get(name, 0) for name in classes) / MEGA
        if self.grows_from is None:
            return own
        return own * max(0.0, math.log(sum(counts.values()) / MEGA / self.grows_from))


@dataclass(frozen=True)
class Conditions:
    """What a profile is good for, and what counts were taken with.

    `core` is the emulated one that counted, whose kernels the runtime chose; it need not be the real one.
    `threads` are those of the latency. Counts are always of one thread, so it is the profile that says them.
    """

    core: str
    runtime: str  # the runner's name: "litert", "onnxruntime"
    precision: str  # "fp32", "fp16", "int8": what most of the arithmetic is done in
    threads: int

    def differences(self, counted: Conditions) -> list[str]:
        """`runtime onnxruntime instead of litert` for each that is not alike where counts were taken."""
        mine, theirs = asdict(self), asdict(counted)
        names = ("core", "runtime", "precision")
        return [
            f"{name} {theirs[name]} instead of {mine[name]}" for name in names if mine[name] != theirs[name]
        ]


@dataclass(frozen=True)
class Pair:
    """Counts of a graph and its measured latency. `source` says where the latency comes from."""

    name: str
    counts: Counts
    latency_ms: float
    source: str = ""


@dataclass(frozen=True)
class LatencyProfile:
    """A fitted device.

    `ms_per_million` and its `covariance` follow `terms`. `spread` is the standard deviation of the pairs'
    relative residuals and `degrees` its degrees of freedom; `leave_one_out` has for each pair the relative
    error of its prediction from all others.
    """

    name: str
    conditions: Conditions
    terms: tuple[Term, ...]
    ms_per_million: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    spread: float
    degrees: int
    pairs: tuple[Pair, ...]
    leave_one_out: tuple[float, ...]
    schema: int = field(default=SCHEMA_VERSION)

    def latency_ms(self, counts: Counts) -> float:
        """The prediction itself."""
        costs = zip(self.terms, self.ms_per_million, strict=True)
        return sum(cost * term.millions(counts) for term, cost in costs)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @property
    def sha256(self) -> str:
        """Of the file that `write_profile` makes."""
        return hashlib.sha256(to_json(self.as_dict())).hexdigest()


def write_profile(profile: LatencyProfile, path: Path) -> None:
    """Write a profile.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(path, to_json(profile.as_dict()))


def find_profile(name: str) -> LatencyProfile:
    """The profile that a user names: a shipped one, or a file.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    shipped = {path.name.removesuffix(SUFFIX): path for path in sorted(SHIPPED.glob(f"*{SUFFIX}"))}
    path = shipped.get(name, Path(name))
    if path.is_file():
        return read_profile(path)
    nearest = difflib.get_close_matches(name, shipped, n=1)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    raise UserError(
        f"no device profile '{name}'; {hint}shipped: {', '.join(shipped)}; or name a file that "
        "'evit-bench calibrate' wrote",
        Exit.PROFILE,
    )


def read_profile(path: Path) -> LatencyProfile:
    """Read what `write_profile` wrote.

    Raises:
        UserError: it cannot be read, or is no profile of a version that this program reads.
    """
    try:
        return _profile_from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", Exit.PROFILE) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not a device profile of schema {SCHEMA_VERSION} ({error}); make one with "
            "'evit-bench calibrate'",
            Exit.PROFILE,
        ) from error


def _profile_from_dict(data: Mapping[str, Any]) -> LatencyProfile:
    if data["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema {data['schema']}")
    values = {
        "conditions": Conditions(**data["conditions"]),
        "terms": tuple(_term_from_dict(term) for term in data["terms"]),
        "ms_per_million": tuple(data["ms_per_million"]),
        "covariance": tuple(tuple(row) for row in data["covariance"]),
        "pairs": tuple(Pair(**pair) for pair in data["pairs"]),
        "leave_one_out": tuple(data["leave_one_out"]),
    }
    return LatencyProfile(**{**data, **values})


def _term_from_dict(data: Mapping[str, Any]) -> Term:
    classes = data["classes"]
    return Term(data["name"], None if classes is None else tuple(classes), data["grows_from"])

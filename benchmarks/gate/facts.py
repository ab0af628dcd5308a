"""The facts of one artifact that a gate compares: counted on its files and by running it, not believed.

What a fact needs that is not there (a check file, a delegate, an emulated core) leaves it None or out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.artifact import check_path, format_of
from evit_deploy.benchmarks.gate.graph_file import GraphFile
from evit_deploy.benchmarks.gate.onnx_file import read_onnx
from evit_deploy.benchmarks.gate.tflite_file import read_tflite
from evit_deploy.benchmarks.measure import describe
from evit_deploy.benchmarks.passes import Subject
from evit_deploy.benchmarks.plan import Plan
from evit_deploy.runtimes import delegation_of

_READERS: Mapping[str, Callable[[Path], GraphFile]] = {"onnx": read_onnx, "tflite": read_tflite}
_TFLITE = "tflite"


@dataclass(frozen=True)
class Delegate:
    """What the delegate made of a TFLite graph: `partitions`, and the operators that it did not take.

    `left` has one line for each, in the graph's order: "PADV2 in backbone.2.1.context_module".
    """

    partitions: int
    left: tuple[str, ...]
    runtime: str


@dataclass(frozen=True)
class Parity:
    """How close the outputs come to the reference's on this machine; `classes`: they are class indices."""

    sqnr_db: float | None  # None: NaN or infinity in it
    agreement: float
    classes: bool
    runtime: str


@dataclass(frozen=True)
class Counted:
    """Instructions of one inference on an emulated core, by class, and what else decides them.

    `stages` are those of the operators run alone, by stage of the model; None where nobody has profiled.
    """

    classes: Mapping[str, int]
    environment: Mapping[str, str]
    stages: Mapping[str, int] | None = None

    @property
    def total(self) -> int:
        """Of all classes."""
        return sum(self.classes.values())


@dataclass(frozen=True)
class Facts:
    """See above. `operators` maps kind to stage of the model to number; `instructions` cores to counts.

    `weights` maps element types to how many values of them the file's constants have. `layouts`, `made_from`,
    `rewrites` and `tools` are what evit-export has put inside the file; None or empty in others' files.
    """

    size_bytes: int
    operators: Mapping[str, Mapping[str, int]] | None = None
    macs: int | None = None
    weights: Mapping[str, int] | None = None
    precision: str | None = None
    inputs: Mapping[str, str] | None = None
    outputs: Mapping[str, str] | None = None
    layouts: Mapping[str, str] = field(default_factory=dict)
    made_from: Mapping[str, Any] | None = None
    rewrites: tuple[str, ...] | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    delegate: Delegate | None = None
    parity: Parity | None = None
    instructions: Mapping[str, Counted] = field(default_factory=dict)
    sha256: str | None = None  # of the graph file; None in baselines of schema 1

    @property
    def histogram(self) -> dict[str, int]:
        """Operator -> how many there are."""
        return {kind: sum(by_stage.values()) for kind, by_stage in (self.operators or {}).items()}

    @property
    def transposes(self) -> int:
        """How many operators only move values."""
        return sum(count for kind, count in self.histogram.items() if kind.upper() == "TRANSPOSE")

    @property
    def parameters(self) -> int:
        """How many values the constants have that can be weights."""
        return sum((self.weights or {}).values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def facts_of(path: Path) -> Facts:
    """Read and run one artifact; instructions are another matter, see counting.py.

    Raises:
        UserError, SetupError: it cannot be read or run, or a package that reading takes is missing.
    """
    subject = describe(path)
    graph = _READERS[subject.format](path)
    inside = graph.essentials or {}
    ends = (*inside.get("inputs", ()), *inside.get("outputs", ()))
    return Facts(
        size_bytes=subject.size_bytes,
        operators=graph.operators,
        macs=graph.macs,
        weights=graph.weights,
        precision=graph.precision,
        inputs=graph.inputs,
        outputs=graph.outputs,
        layouts={end["name"]: end["layout"] for end in ends},
        made_from=_known(inside.get("weights")),
        rewrites=tuple(inside["rewrites"]) if "rewrites" in inside else None,
        tools=inside.get("tools", {}),
        delegate=_delegate(path, graph),
        parity=_parity(path, check_path(path)),
        sha256=subject.sha256,
    )


def _known(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: value for name, value in values.items() if value is not None}


def _delegate(path: Path, graph: GraphFile) -> Delegate | None:
    if format_of(path) != _TFLITE:
        return None
    found = delegation_of(path)
    left = [graph.nodes[position] for position in found.left]
    places = tuple(node.kind + (f" in {node.module}" if node.module else "") for node in left)
    return Delegate(found.partitions, places, found.runtime)


def _parity(path: Path, check: Path) -> Parity | None:
    """As the agent has it, in this process."""
    if not check.is_file():
        return None
    plan = Plan()
    job = {"graph": path, "check": check, "interpreter": plan.interpreter, "threads": 1, "seed": plan.seed}
    subject = Subject(job)
    try:
        facts = subject.facts()
    finally:
        subject.runner.close()
    found, runtime = facts["parity"], facts["runtime"]
    return Parity(
        sqnr_db=round(found["sqnr_db"], 2) if found["finite"] else None,
        agreement=found["agreement"],
        classes=facts["outputs"][0]["dtype"].startswith("int"),
        runtime=f"{runtime['name']} {runtime['version']}",
    )


def facts_from_dict(data: Mapping[str, Any]) -> Facts:
    """Rebuild facts from JSON.

    Raises:
        KeyError, TypeError: `data` is none.
    """
    delegate, parity, rewrites = data["delegate"], data["parity"], data["rewrites"]
    parts = {
        "delegate": None if delegate is None else Delegate(**{**delegate, "left": tuple(delegate["left"])}),
        "parity": None if parity is None else Parity(**parity),
        "rewrites": None if rewrites is None else tuple(rewrites),
        "instructions": {core: Counted(**counted) for core, counted in data["instructions"].items()},
    }
    return Facts(**{**data, **parts})

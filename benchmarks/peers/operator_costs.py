"""Instructions by kind of operator: of ours as `evit-bench profile` has them, of other engines likewise.

An engine's distinct operators are counted alone and multiplied by how often they occur. What a lone graph
takes and a model does not (the call, and a change of layout at both ends) is subtracted: it is what one
Hardswish takes less what a second one in a row adds, spread over the elements that go in and out.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.measure import install_agent
from evit_deploy.benchmarks.peers.contestants import Contestant
from evit_deploy.benchmarks.peers.convert import convert
from evit_deploy.benchmarks.peers.devices import PeersCore, peers_agent
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.benchmarks.peers.graphs import Say
from evit_deploy.benchmarks.peers.kinds import HARDSWISH, REST, kind_of
from evit_deploy.benchmarks.peers.onnx_operators import OnnxOperator, chains, operators_of
from evit_deploy.benchmarks.peers.result import KindCost
from evit_deploy.benchmarks.per_operator.cache import cached_count, keep_count, operator_key
from evit_deploy.benchmarks.per_operator.operator import elements
from evit_deploy.benchmarks.per_operator.run import ProfilePlan, profile
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.errors import EvitError

Costs = dict[str, float]


def kind_costs(
    found: Sequence[Contestant],
    totals: Mapping[str, float],
    published: Path,
    core: str,
    environment: PeersEnvironment,
    say: Say,
) -> tuple[KindCost, ...]:
    """A table for the contestants that are given.

    Args:
        found: right ones that were counted.
        totals: instructions of each whole, by name.
        published: the ONNX file that numbers of operators and their ideal are taken from.
        core: the emulated one.
        environment: of the other engines.
        say: is told each step.
    """
    table: dict[str, Costs] = {}
    for contestant in found:
        say(f"operators of {contestant.name}")
        try:
            costs = _costs(contestant, core, environment)
        except EvitError as error:
            say(f"{contestant.name} is left out of the costs by kind: {error}")
            continue
        table[contestant.name] = {**costs, REST: totals[contestant.name] - sum(costs.values())}
    return _by_kind(operators_of(published), table)


def _costs(contestant: Contestant, core: str, environment: PeersEnvironment) -> Costs:
    graph = contestant.graph.path
    if contestant.peer:
        return _of_peer(contestant.engine, operators_of(graph), core, environment)
    return _of_ours(graph, core)


def _by_kind(operators: Sequence[OnnxOperator], table: Mapping[str, Costs]) -> tuple[KindCost, ...]:
    """The most expensive kinds first, the rest last."""
    kinds = {kind for costs in table.values() for kind in costs}
    most = {kind: max(costs.get(kind, 0.0) for costs in table.values()) for kind in kinds}
    order = sorted(kinds, key=lambda kind: (kind == REST, -most[kind]))
    return tuple(
        KindCost(
            kind,
            sum(o.count for o in operators if o.kind == kind),
            sum(o.count * o.ideal for o in operators if o.kind == kind),
            {name: costs[kind] for name, costs in table.items() if kind in costs},
        )
        for kind in order
    )


def _of_ours(graph: Path, core: str) -> Costs:
    costs: defaultdict[str, float] = defaultdict(float)
    for cost in profile(graph, QemuDevice(core), ProfilePlan(), lambda _: None).costs:
        kind = kind_of(cost.operator.kind)
        if kind is not None:
            costs[kind] += cost.amount
    return dict(costs)


def _of_peer(
    engine: str, operators: Sequence[OnnxOperator], core: str, environment: PeersEnvironment
) -> Costs:
    shapes = dict.fromkeys(
        o.input_shape for o in operators if o.kind == HARDSWISH and len(o.input_shape) == 4
    )
    pairs = {shape: chains(shape) for shape in shapes}
    wanted = {o.content: o.input_shape for o in operators}
    wanted |= {content: shape for shape, pair in pairs.items() for content in pair}
    counts = _counts(engine, wanted, core, environment)
    # Of an element that goes in or out.
    ends = statistics.median(
        (2 * counts[one] - counts[two]) / (2 * elements(shape)) for shape, (one, two) in pairs.items()
    )
    costs: defaultdict[str, float] = defaultdict(float)
    for operator in operators:
        both = elements(operator.input_shape) + elements(operator.output_shape)
        costs[operator.kind] += operator.count * (counts[operator.content] - ends * both)
    return dict(costs)


def _counts(
    engine: str, wanted: Mapping[bytes, tuple[int, ...]], core: str, environment: PeersEnvironment
) -> dict[bytes, int]:
    """Instructions of one run of each graph; from the cache as far as it has them."""
    told = {"engine": engine, "environment": environment.folder.name}
    keys = {content: operator_key(content, f"qemu:{core}", told) for content in wanted}
    known = {content: cached_count(key) for content, key in keys.items()}
    missing = {content: wanted[content] for content, classes in known.items() if classes is None}
    if missing:
        regions = _count_alone(engine, missing, core, environment)
        for number, content in enumerate(missing, start=1):
            classes = _less(regions[str(number)], regions["0"])
            known[content] = classes
            keep_count(keys[content], classes)
    return {content: sum((classes or {}).values()) for content, classes in known.items()}


def _count_alone(
    engine: str, wanted: Mapping[bytes, tuple[int, ...]], core: str, environment: PeersEnvironment
) -> Mapping[str, Mapping[str, int]]:
    with PeersCore(core, environment) as device:
        install_agent(peers_agent(), device)
        parts = [_part(engine, content, shape, environment, device) for content, shape in wanted.items()]
        job: dict[str, Any] = {"mode": "operators", "threads": 1, "seed": 0, "graphs": parts}
        regions: Mapping[str, Mapping[str, int]] = device.run_agent(job)["counts"]
    return regions


def _part(
    engine: str, content: bytes, shape: tuple[int, ...], environment: PeersEnvironment, device: QemuDevice
) -> dict[str, Any]:
    """An operator's part of the job. Conversions stay in the environment's folder."""
    folder = environment.folder / "operators" / hashlib.sha256(content).hexdigest()[:16] / engine
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "operator.onnx"
    source.write_bytes(content)
    files = convert(engine, source, shape, folder, environment)
    image = {"name": "image", "shape": list(shape), "dtype": "float32"}
    weights = None if files.weights is None else device.push(files.weights)
    return {
        **{"engine": engine, "graph": device.push(files.graph), "weights": weights},
        **{"image": image, "output": "out"},
    }


def _less(counts: Mapping[str, int], without: Mapping[str, int]) -> dict[str, int]:
    difference = {name: counts.get(name, 0) - without.get(name, 0) for name in sorted({*counts, *without})}
    return {name: count for name, count in difference.items() if count}

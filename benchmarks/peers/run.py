"""The whole comparison: export, convert, verify, time, count, break down by kind of operator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from evit_deploy.benchmarks.environment import machine_facts
from evit_deploy.benchmarks.peers.contestants import contestants
from evit_deploy.benchmarks.peers.convert import CONVERTERS
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.benchmarks.peers.graphs import ONNX, OURS, PUBLISHED, Say, export_graphs
from evit_deploy.benchmarks.peers.measure import Entry, PeersPlan, measure_peers
from evit_deploy.benchmarks.peers.operator_costs import kind_costs
from evit_deploy.benchmarks.peers.result import KindCost, ModelResult, PeersResult, row_of
from evit_deploy.errors import UserError

NOTES = (
    "All in float32 on one thread: ncnn without its float16 and bfloat16 storage and arithmetic, MNN with "
    "precision high, OpenVINO with the hint f32. Published is the published formulation through torch's "
    "TorchScript exporter (ONNX), the one built on torch.export (dynamo) and litert-torch (TFLite); ncnn (by "
    "pnnx), MNN (by its converter) and OpenVINO take the TorchScript exporter's ONNX file, and ours. Ours "
    "are formulated for the emulated core; 'ours, for x86-64' is what --target x86-64 gives.",
    "Worst dB is the lowest SQNR over the inputs of the export's own verification, against PyTorch in "
    "float64; who is below what that demands is WRONG and is not timed. x ideal is against one FMA "
    "for every four multiply-accumulates. Counts of instructions are exact, but they are no milliseconds.",
    "By kind: ours as `evit-bench profile` counts them; in other engines each distinct operator of the "
    "better of their files alone, less what changing the layout at both ends takes. The rest is the whole "
    "less these.",
)


@dataclass(frozen=True)
class Wanted:
    """A model and a resolution (height, width)."""

    model: str
    resolution: tuple[int, int]


def parse_wanted(text: str) -> Wanted:
    """`b1@224` or `seg-b1-cityscapes@512x1024`.

    Raises:
        UserError: anything else.
    """
    model, _, size = text.partition("@")
    sides = size.lower().split("x")
    if not model or len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise UserError(f"'{text}': expected MODEL@SIZE, such as b1@224 or seg-b1-cityscapes@512x1024")
    return Wanted(model, (int(sides[0]), int(sides[-1])))


def compare_peers(
    wanted: Sequence[Wanted],
    folder: Path,
    environment: PeersEnvironment,
    plan: PeersPlan,
    say: Say,
    *,
    command: str,
    count_up_to: float = math.inf,
    operators: bool = True,
    wait: bool = True,
) -> PeersResult:
    """Compare.

    Args:
        wanted: what to compare on.
        folder: for exports and conversions, which stay.
        environment: of the other engines.
        plan: how to measure.
        say: is told each step.
        command: what was typed.
        count_up_to: multiply-accumulates of the largest model that also runs on the emulated core; 0: none.
        operators: also by kind of operator; of what is counted.
        wait: for whoever else measures on this machine.

    Raises:
        EvitError: an export failed, or the machine is measured on by another and we may not wait.
    """
    models = []
    for one in wanted:
        graphs = export_graphs(one.model, one.resolution, folder, say)
        found = contestants(graphs, environment, say)
        manifest = graphs[0].manifest
        counted = manifest.graph.macs <= count_up_to
        entries = measure_peers(found, environment, plan, say, wait=wait, counted=counted)
        kinds = _kinds(entries, plan.core, environment, say) if counted and operators else ()
        rows = tuple(row_of(entry) for entry in entries)
        models.append(ModelResult(manifest.model, one.resolution, manifest.graph.macs, rows, kinds))
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    facts = machine_facts(libraries=False)
    return PeersResult(now, command, plan.core, facts, asdict(plan), tuple(models), NOTES)


def _kinds(
    entries: Sequence[Entry], core: str, environment: PeersEnvironment, say: Say
) -> tuple[KindCost, ...]:
    """For ours on the core, and for each other engine on whichever file it needs fewer instructions for."""
    counted = [entry for entry in entries if "classes" in entry.counted]
    totals = {entry.contestant.name: float(sum(entry.counted["classes"].values())) for entry in counted}
    found = [e.contestant for e in counted if e.contestant.ours and e.contestant.source == OURS]
    for engine in CONVERTERS:
        runs = [entry.contestant for entry in counted if entry.contestant.engine == engine]
        found += sorted(runs, key=lambda contestant: totals[contestant.name])[:1]
    published = next(
        entry.contestant.graph.path
        for entry in entries
        if (entry.contestant.source, entry.contestant.graph.format) == (PUBLISHED, ONNX)
    )
    return kind_costs(found, totals, published, core, environment, say)

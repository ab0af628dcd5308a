"""The comparisons as the tables of docs/papers.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evit_deploy.artifact import FORMAT_SUFFIXES
from evit_deploy.benchmarks.papers.claims import Comparison, Side, Size
from evit_deploy.benchmarks.scaling.points import OURS, Graph, Point
from evit_deploy.benchmarks.scaling.text import table

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Counted:
    """Point and the day it was measured on."""

    point: Point
    day: str


Known = Mapping[Graph, Counted]
FullMacs = Mapping[str, float]  # model -> multiply-accumulates at its published size


def markdown(comparisons: Sequence[Comparison], known: Known, full_macs: FullMacs, device: str) -> str:
    """Claims beside our figures, then every graph that was counted."""
    core = device.removeprefix("qemu:")
    parts = [f"Instructions of one inference on an emulated {core}, one thread, float32."]
    for format in FORMAT_SUFFIXES:
        rows = [row for c in comparisons for row in _rows(c, format, known, full_macs)]
        parts += [f"### Claims, {format}", table(_HEAD, rows)]
    return "\n\n".join([*parts, "### Graphs", _graphs(known)]) + "\n"


_HEAD = ["ours", "theirs", "size", "ours, M", "theirs, M", "theirs / ours", "published factor", "published"]


def _rows(comparison: Comparison, format: str, known: Known, full_macs: FullMacs) -> list[list[str]]:
    """A row for every size that both are counted at, then the full size by extrapolation."""
    ours, theirs = comparison.ours, comparison.theirs
    if not (ours.counted_at or theirs.counted_at):
        return [_row(comparison, known, *ours.graphs(format), *theirs.graphs(format))]
    sizes = {(graph.height, graph.width): graph for graph in theirs.graphs(format)}
    rows = [
        _row(comparison, known, graph, sizes[graph.height, graph.width])
        for graph in ours.graphs(format)
        if (graph.height, graph.width) in sizes
    ]
    mine, other = (at_full_size(side, format, known, full_macs) for side in (ours, theirs))
    label = f"{_sizes(ours.size, theirs.size)}, extrapolated by MACs"
    return [*rows, _cells(comparison, label, mine, other)]


def _row(comparison: Comparison, known: Known, mine: Graph, other: Graph) -> list[str]:
    size = _sizes((mine.height, mine.width), (other.height, other.width))
    return _cells(comparison, size, _count(mine, known), _count(other, known))


def _count(graph: Graph, known: Known) -> float | None:
    return float(known[graph].point.instructions) if graph in known else None


def _cells(comparison: Comparison, size: str, mine: float | None, other: float | None) -> list[str]:
    ratio = "-" if mine is None or other is None else f"{other / mine:.2f}"
    factor = "-" if comparison.factor is None else f"{comparison.factor:g}"
    names = [comparison.ours.model, comparison.theirs.model]
    return [*names, size, _millions(mine), _millions(other), ratio, factor, comparison.published]


def at_full_size(side: Side, format: str, known: Known, full_macs: FullMacs) -> float | None:
    """Instructions at the published size; if need be from the largest that was counted, as its MACs grow.

    Quadratic attention is in the MACs, so it grows here as it does there; what is per pixel (softmax, norms,
    activations) grows slower, so that models with quadratic attention come out a little high.
    """
    counted = [known[graph].point for graph in side.graphs(format) if graph in known]
    if counted and not side.counted_at:
        return float(counted[0].instructions)
    if not counted or side.model not in full_macs:
        return None
    largest = max(counted, key=lambda point: point.pixels)
    return largest.instructions * full_macs[side.model] / largest.macs


def _graphs(known: Known) -> str:
    head = ["model", "graph", "input", "GMACs", "parameters, M", "instructions, M", "per MAC"]
    head += ["loads and stores, M", "counted on"]
    rows = []
    for graph, counted in sorted(known.items(), key=lambda entry: _order(entry[0])):
        point = counted.point
        rows.append(
            [
                graph.model,
                f"{'ours' if graph.kind == OURS else 'plain export'}, {graph.format}",
                _size((graph.height, graph.width)),
                f"{point.macs / 1e9:.2f}",
                f"{point.parameters / 1e6:.2f}",
                f"{point.instructions / 1e6:.1f}",
                f"{point.instructions / point.macs:.2f}",
                f"{point.memory_accesses / 1e6:.1f}",
                counted.day,
            ]
        )
    return table(head, rows)


def _order(graph: Graph) -> tuple[str, str, int]:
    return graph.model, graph.format, graph.height * graph.width


def _sizes(mine: Size, other: Size) -> str:
    return _size(mine) if mine == other else f"{_size(mine)} and {_size(other)}"


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _millions(count: float | None) -> str:
    return NOT_MEASURED if count is None else f"{count / 1e6:.1f}"

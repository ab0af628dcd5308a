"""The fewest blocks that have to stay in float32 for an int8 graph to come as close as is asked.

    alone     each block in int8, all others in float32           -> SQNR -> ranking, the most sensitive first
    prefix    the first k of the ranking in float32               -> the least k that suffices, by bisection
    prune     those k, one after the other back to int8, the least sensitive first, where it still suffices

Every answer is a measurement of a real quantised graph, so the result does suffice, whatever the ranking is
worth; that no fewer blocks would do is not proven: that would take 2^blocks measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evit_deploy.errors import ParityError
from evit_deploy.exporters.precision.mixed_graph import Measured, MixedGraph

Step = Callable[[str], None]


def measure_alone(graph: MixedGraph, step: Step) -> dict[str, Measured]:
    """Each block in int8 with every other in float32, in the order of the model; `step` is told each."""
    alone = {}
    for path in graph.blocks:
        alone[path] = graph.measure(set(graph.blocks) - {path})
        step(f"only {path} in int8: {alone[path].sqnr_db:.1f} dB")
    return alone


def ranked(alone: Mapping[str, Measured]) -> tuple[str, ...]:
    """Blocks by what they alone do to the output, the worst first; equal ones in the order of the model."""
    return tuple(sorted(alone, key=lambda path: alone[path].sqnr_db))


def fewest_in_float32(graph: MixedGraph, least_db: float, step: Step) -> Measured:
    """Search as above.

    Raises:
        ParityError: not even one block can be in int8; with the best that was found.
    """
    step(f"everything in int8: {graph.measure(()).sqnr_db:.1f} dB")
    if graph.measure(()).sqnr_db >= least_db:
        return graph.measure(())
    ranking = ranked(measure_alone(graph, step))
    best = graph.measure(ranking[:-1])
    if best.sqnr_db < least_db:
        raise ParityError(
            f"--min-sqnr {least_db:g}: the best with any block in int8 is {best.sqnr_db:.1f} dB, with all "
            f"but '{ranking[-1]}' in float32; ask for less, or export with --precision fp32"
        )
    return _pruned(graph, ranking[: _shortest_prefix(graph, ranking, least_db, step)], least_db, step)


def _shortest_prefix(graph: MixedGraph, ranking: Sequence[str], least_db: float, step: Step) -> int:
    """A length that suffices where one less does not; none does not, all but one does."""
    fails, suffices = 0, len(ranking) - 1
    while suffices - fails > 1:
        middle = (fails + suffices) // 2
        if _measured(graph, ranking[:middle], step).sqnr_db >= least_db:
            suffices = middle
        else:
            fails = middle
    return suffices


def _pruned(graph: MixedGraph, prefix: Sequence[str], least_db: float, step: Step) -> Measured:
    kept = list(prefix)
    for path in reversed(prefix):
        without = [other for other in kept if other != path]
        if _measured(graph, without, step).sqnr_db >= least_db:
            kept = without
    return graph.measure(kept)


def _measured(graph: MixedGraph, float32: Sequence[str], step: Step) -> Measured:
    found = graph.measure(float32)
    step(f"{len(float32)} of {len(graph.blocks)} blocks in float32: {found.sqnr_db:.1f} dB")
    return found

"""How much of a TFLite graph the delegate took: partitions, delegated operators, the original's histogram.

A delegated interpreter lists every original node and then one node DELEGATE per partition. A partition's
operators are those found by walking from its outputs back through the original graph, stopping at its inputs:
whatever feeds the partition from outside is one of its inputs by definition.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.runtimes.litert import AUTO, LiteRtRunner

_DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Delegation:
    """`partitions` subgraphs hold `delegated_ops` of the `total_ops` operators of the original graph."""

    partitions: int
    delegated_ops: int
    total_ops: int
    op_histogram: dict[str, int]  # of the original graph, by operator name
    left: tuple[int, ...] = ()  # positions in the original graph of the operators that were not taken
    runtime: str = ""  # whose delegate it is: "litert 2.3.0"


def delegation_of(path: Path, *, interpreter: str = AUTO) -> Delegation:
    """Load a TFLite file with and without the default delegate and compare.

    Raises:
        UserError, SetupError: as `LiteRtRunner`.
    """
    with LiteRtRunner(path, interpreter=interpreter, delegate=False) as plain:
        original = plain.nodes()
    with LiteRtRunner(path, interpreter=interpreter) as with_delegate:
        partitions = [node for node in with_delegate.nodes() if node["op_name"] == _DELEGATE]
    taken = [_ops_between(original, node["inputs"], node["outputs"]) for node in partitions]
    delegated: set[int] = set().union(*taken)
    return Delegation(
        partitions=len(partitions),
        delegated_ops=len(delegated),
        total_ops=len(original),
        op_histogram=dict(sorted(Counter(str(node["op_name"]) for node in original).items())),
        runtime=f"{with_delegate.name} {with_delegate.version}",
        left=tuple(i for i in range(len(original)) if i not in delegated),
    )


def _ops_between(nodes: list[dict[str, Any]], inputs: Any, outputs: Any) -> set[int]:
    """Positions of the nodes that compute tensors `outputs` from tensors `inputs`."""
    producer = {int(tensor): i for i, node in enumerate(nodes) for tensor in node["outputs"]}
    stop = {int(tensor) for tensor in inputs}
    pending = [int(tensor) for tensor in outputs]
    found: set[int] = set()
    while pending:
        tensor = pending.pop()
        index = producer.get(tensor)
        if index is None or tensor in stop or index in found:
            continue
        found.add(index)
        pending.extend(int(t) for t in nodes[index]["inputs"])
    return found

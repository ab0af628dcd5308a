"""From a failed comparison to the sentence that says what differs and where."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from torch import nn

from evit_deploy.exporters.locate import first_difference
from evit_deploy.exporters.verify import ParityReport, Reference


def diagnose(
    graph: Path,
    module: nn.Module,
    reference: Reference,
    report: ParityReport,
    replaced: Collection[str] = (),
) -> str | None:
    """What is wrong with a graph; `None` where it is in tolerance.

    Class maps say little (a wrong network may well give the same classes), so graphs that end in one are also
    searched for every module's output, the logits among them. `replaced`: paths of modules whose children are
    not in the graph.
    """
    if report.passed and not reference.gives_classes:
        return None
    worst = report.worst
    sample = "noise" if report.passed else worst.sample
    difference = first_difference(graph, module, reference.samples[sample], replaced)
    if report.passed:
        return None if difference is None else f"the classes agree, but {difference}"
    where = (
        difference or "every module is found in the graph: suspect the runtime's optimisations or delegate"
    )
    return f"{worst.failure} on '{worst.sample}' in {report.runtime}; {where}"

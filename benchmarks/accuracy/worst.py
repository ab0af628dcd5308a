"""Which images a model did worst on: a wrong class held with the largest margin, or the smallest mIoU."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evit_deploy.benchmarks.accuracy.outcome import MapOutcome, Outcome
from evit_deploy.benchmarks.accuracy.overlap import image_miou
from evit_deploy.benchmarks.accuracy.records import Record


def worst_records(records: Sequence[Record], model: int, num_classes: int, count: int) -> list[Record]:
    """At most `count`, the worst first, of equal ones the first by name.

    Images that could not be used, that have nothing labelled or are rightly classified are not among them.
    """
    rated = [
        (badness, record.image, record)
        for record in records
        if record.problem is None
        for badness in [_goodness(record.outcomes[model], record.label, num_classes)]
        if badness is not None
    ]
    return [record for _, _, record in sorted(rated, key=lambda entry: entry[:2])[:count]]


def _goodness(outcome: Outcome, label: int | None, num_classes: int) -> float | None:
    """Smaller is worse; `None` for what is not looked at."""
    if isinstance(outcome, MapOutcome):
        return image_miou(outcome, num_classes)
    if outcome.top[:1] == (label,):
        return None
    return -math.inf if outcome.margin is None else outcome.margin

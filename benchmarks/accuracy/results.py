"""A result of `evit-eval`: metrics, what they were taken of and on, and every record they come from. JSON.

All figures are functions of the records, in the dataset's order: equal records, equal figures, to the bit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from evit_deploy.benchmarks.accuracy.dataset import CLASSIFICATION, Dataset, Problem, encoded
from evit_deploy.benchmarks.accuracy.outcome import MapOutcome, TopOutcome
from evit_deploy.benchmarks.accuracy.overlap import map_comparison, map_metrics
from evit_deploy.benchmarks.accuracy.records import Record
from evit_deploy.benchmarks.accuracy.subject import Subject
from evit_deploy.benchmarks.accuracy.top import top_comparison, top_metrics
from evit_deploy.errors import Exit, UserError

# History: 1 = first version; 2 = `device`, and in each model's identity its name.
SCHEMA_VERSION = 2
KIND = "evaluation"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One call of `evit-eval`.

    `device` is where artifacts ran: `name`, `label`, `emulated` and `facts`; these are `None` where it was
    this process, whose machine's facts are the `environment`. References in PyTorch ran here.

    `models` are those evaluated, then the reference; each with `name`, `role`, `identity` and `metrics`.
    `comparisons` are of each of them with the reference. `dataset` says what was found and what took part.
    """

    created: str  # UTC, ISO 8601
    tool: dict[str, str]
    environment: dict[str, Any]
    device: dict[str, Any]
    request: dict[str, Any]
    dataset: dict[str, Any]
    models: tuple[dict[str, Any], ...]
    comparisons: tuple[dict[str, Any], ...]
    records: tuple[Record, ...]
    kind: str = KIND
    schema: int = field(default=SCHEMA_VERSION)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, records and all."""
        return asdict(self)

    def summary(self) -> dict[str, Any]:
        """The same without the records."""
        return {name: value for name, value in self.as_dict().items() if name != "records"}


def summarised(
    dataset: Dataset,
    records: Sequence[Record],
    subjects: Sequence[Subject],
    reference: Subject | None,
    seed: int,
) -> dict[str, Any]:
    """The parts of an `Evaluation` that follow from records.

    Args:
        dataset: what was found on disk.
        records: one of each image that was asked for, in the dataset's order.
        subjects: what was evaluated.
        reference: see `Record.outcomes`.
        seed: of the bootstrap.

    Raises:
        UserError: no image was usable.
    """
    used = [record for record in records if record.problem is None]
    if not used:
        first = records[0]
        raise UserError(
            f"'{dataset.root}': none of {len(records)} images is usable, the first: {first.file}: "
            f"{first.problem}; mend the dataset",
            Exit.DATASET,
        )
    everybody = [*subjects, *([] if reference is None else [reference])]
    columns = [[record.outcomes[i] for record in used] for i in range(len(everybody))]
    labels = [record.label for record in used]
    roles = ["evaluated"] * len(subjects) + ["reference"]
    models = [
        {
            "name": s.name,
            "role": role,
            "identity": dict(s.identity),
            "metrics": _metrics(s, column, labels, seed),
        }
        for s, role, column in zip(everybody, roles, columns, strict=False)
    ]
    comparisons = [
        {"name": s.name, "reference": reference.name, **_comparison(s, column, columns[-1], labels, seed)}
        for s, column in zip(subjects, columns, strict=False)
        if reference is not None
    ]
    return {
        "dataset": _dataset_facts(dataset, records),
        "models": tuple(models),
        "comparisons": tuple(comparisons),
        "records": tuple(records),
    }


def problems_of(dataset: Dataset, records: Sequence[Record]) -> tuple[Problem, ...]:
    """Of the listing, then of the images."""
    found = (Problem(r.file or r.image, r.problem) for r in records if r.problem is not None)
    return (*dataset.problems, *found)


def content_fingerprint(records: Sequence[Record]) -> str:
    """sha256 of the names, labels and contents of all images that were asked for."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(encoded(f"{record.image}\0{record.label}\0{record.sha256}\n"))
    return digest.hexdigest()


def _dataset_facts(dataset: Dataset, records: Sequence[Record]) -> dict[str, Any]:
    converted = Counter(record.mode for record in records if record.mode not in (None, "RGB"))
    return {
        "root": str(dataset.root),
        "layout": dataset.layout,
        "task": dataset.task,
        "num_classes": dataset.num_classes,
        "classes": None if dataset.classes is None else list(dataset.classes),
        "images_found": len(dataset.items),
        "images_asked_for": len(records),
        "images_used": sum(record.problem is None for record in records),
        "images_converted": dict(sorted((str(mode), count) for mode, count in converted.items())),
        "fingerprint": content_fingerprint(records),
        "problems": [asdict(problem) for problem in problems_of(dataset, records)],
    }


def _metrics(subject: Subject, column: Sequence[Any], labels: Sequence[Any], seed: int) -> Mapping[str, Any]:
    if subject.task == CLASSIFICATION:
        return top_metrics(_tops(column), labels)
    return map_metrics(_maps(column), subject.num_classes, seed)


def _comparison(
    subject: Subject, column: Sequence[Any], other: Sequence[Any], labels: Sequence[Any], seed: int
) -> Mapping[str, Any]:
    if subject.task == CLASSIFICATION:
        return top_comparison(_tops(column), _tops(other), labels)
    return map_comparison(_maps(column), _maps(other), subject.num_classes, seed)


def _tops(column: Sequence[Any]) -> list[TopOutcome]:
    assert all(isinstance(outcome, TopOutcome) for outcome in column)
    return list(column)


def _maps(column: Sequence[Any]) -> list[MapOutcome]:
    assert all(isinstance(outcome, MapOutcome) for outcome in column)
    return list(column)

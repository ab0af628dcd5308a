"""The tables of docs/zoo.md."""

from __future__ import annotations

from collections.abc import Sequence

from evit_deploy.benchmarks.scaling.text import table
from evit_deploy.benchmarks.zoo.entries import (
    CORES,
    COUNTED_ON,
    Entry,
    Known,
    Refusal,
    Wanted,
    wanted_of,
)
from evit_deploy.models.families import family_of, source_of
from evit_deploy.models.zoo import CLASSIFICATION, SEGMENTATION, ModelSpec

NOT_MEASURED = "not measured"
NOT_COUNTED = "not counted"  # exported and verified; too large for an emulated core
REFUSED = "refused"
_MEASURES = {CLASSIFICATION: "top-1", SEGMENTATION: "mIoU"}
_PUBLISHED = ["model", "task", "data", "size", "parameters, M", "GMACs", "accuracy", "source", "command"]
ARTIFACT_HEAD = ["model", "size", "format", "precision", "MB", "worst dB"]
ARTIFACT_HEAD += [*(f"{core.removeprefix('cortex-').upper()}, M" for core in CORES), "measured on", "command"]


def markdown(models: Sequence[ModelSpec], known: Known) -> str:
    """Two tables a family, published figures and artifacts, and why what is refused is refused."""
    families = dict.fromkeys(map(family_of, models))
    parts = []
    for family in families:
        members = [spec for spec in models if family_of(spec) == family]
        rows = [[*row[:-1], _as_code(row[-1])] for spec in members for row in artifact_rows(spec, known)]
        parts += [f"## {family}", table(_PUBLISHED, [_published(spec) for spec in members])]
        parts += [f"### {family}: artifacts", table(ARTIFACT_HEAD, rows)]
        refused = [line for spec in members for line in refusals(spec, known)]
        parts += ["Refused:", "\n".join(f"- {line}" for line in refused)] if refused else []
    return "\n\n".join(parts) + "\n"


def _published(spec: ModelSpec) -> list[str]:
    measure = _MEASURES.get(spec.task, "")
    return [
        spec.short_name,
        spec.task,
        spec.dataset,
        "x".join(map(str, spec.resolution)),
        f"{spec.parameters / 1e6:.2f}",
        f"{spec.macs / 1e9:.2f}",
        "-" if spec.accuracy is None else f"{spec.accuracy:.2f} {measure}".strip(),
        source_of(spec) or "-",
        _as_code(f"evit-export {spec.short_name}"),
    ]


def artifact_rows(spec: ModelSpec, known: Known) -> list[list[str]]:
    """Cells under `ARTIFACT_HEAD`, a row for each; one for all where nothing of the model was measured."""
    wanted = list(wanted_of(spec))
    if not any(one in known for one in wanted):
        first = wanted[0]
        return [[first.model, first.size, "all", "all", *[NOT_MEASURED] * (3 + len(CORES)), "-"]]
    return [_artifact(one, known.get(one)) for one in wanted]


def _artifact(wanted: Wanted, entry: Entry | Refusal | None) -> list[str]:
    names = [wanted.model, wanted.size, wanted.format, wanted.precision]
    if entry is None:
        return [*names, *[NOT_MEASURED] * (3 + len(CORES)), wanted.command]
    if isinstance(entry, Refusal):
        return [*names, *[REFUSED] * 2, *["-"] * len(CORES), entry.day, wanted.command]
    figures = [f"{entry.size_bytes / 1e6:.1f}", f"{entry.worst_db:.1f}"]
    counts = [_count(core, entry) for core in CORES]
    return [*names, *figures, *counts, entry.day, wanted.command]


def refusals(spec: ModelSpec, known: Known) -> list[str]:
    """A line for each reason that the exporter gave."""
    formats: dict[tuple[str, str], list[str]] = {}
    for wanted in wanted_of(spec):
        entry = known.get(wanted)
        if isinstance(entry, Refusal):
            formats.setdefault((wanted.precision, entry.refused), []).append(wanted.format)
    return [
        f"{spec.short_name}, {precision}, {' and '.join(names)}: {reason}"
        for (precision, reason), names in formats.items()
    ]


def _as_code(command: str) -> str:
    return command if command == "-" else f"`{command}`"


def _count(core: str, entry: Entry) -> str:
    """`-` where it is not counted: the core cannot, or the graph computes what another computes."""
    if core not in COUNTED_ON[entry.wanted.precision]:
        return "-"
    count = entry.instructions.get(core)
    return NOT_COUNTED if count is None else f"{count / 1e6:.1f}"

"""`evit-export list`: the models with their published figures, as a table or as JSON."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import click

from evit_deploy.cli.common import stdout_console
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.zoo.entries import Entry, Known, Refusal
    from evit_deploy.models.zoo import ModelSpec

MEASURES = {"classification": "top-1", "segmentation": "mIoU", "image-embedding": "COCO mAP"}


@click.command("list")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--task", metavar="TASK", help="Only these: classification, segmentation, ...")
@click.option("--family", metavar="FAMILY", help="Only these: efficientvit, ...")
@click.option("--peers", is_flag=True, help="The models to compare with, for 'evit-export plain', instead.")
@click.option("--artifacts", is_flag=True, help="Also what was measured of their exports, as docs/zoo.md.")
@click.option("--json", "as_json", is_flag=True, help="For machines; with what was measured of the exports.")
def list_models(
    patterns: tuple[str, ...],
    task: str | None,
    family: str | None,
    peers: bool,
    artifacts: bool,
    as_json: bool,
) -> None:
    """Show every model with its published figures.

    PATTERN is a part of a name (seg, b1) or has wildcards (b?, *ade20k); without one, all are shown.
    """
    from evit_deploy.cli.export import require_export_packages

    if peers and artifacts:
        raise UserError(
            "--artifacts shows what docs/zoo.md has of our models; --peers are in docs/papers.md", Exit.USAGE
        )
    require_export_packages()
    from evit_deploy.benchmarks.zoo.entries import read_known
    from evit_deploy.models.zoo import MODELS, PEERS

    chosen = chosen_models(PEERS if peers else MODELS, patterns, task, family)
    if as_json:
        known = read_known().values()
        click.echo(json.dumps([model_row(spec, known) for spec in chosen], indent=2))
        return
    _print(chosen)
    if artifacts:
        _print_artifacts(chosen, read_known())


def chosen_models(
    models: Sequence[ModelSpec], patterns: Sequence[str], task: str | None, family: str | None
) -> list[ModelSpec]:
    """Those that are asked for.

    Raises:
        UserError: a task or a family that no model has, or nothing is left.
    """
    from evit_deploy.models.families import family_of

    _check("--task", task, {spec.task for spec in models})
    _check("--family", family, {family_of(spec) for spec in models})
    chosen = [
        spec
        for spec in models
        if task in (None, spec.task) and family in (None, family_of(spec)) and _matches(spec, patterns)
    ]
    if not chosen:
        raise UserError(
            f"no model fits {' '.join(patterns)}; 'evit-export list' without it shows all", Exit.UNKNOWN_MODEL
        )
    return chosen


def model_row(spec: ModelSpec, known: Collection[Entry | Refusal] = ()) -> dict[str, Any]:
    """What is known of a model and of its exports, for machines."""
    from evit_deploy.models.families import family_of, source_of

    return {
        "name": spec.name,
        "short_name": spec.short_name,
        "family": family_of(spec),
        "task": spec.task,
        "dataset": spec.dataset,
        "num_classes": spec.num_classes,
        "resolution": list(spec.resolution),
        "parameters": spec.parameters,
        "macs": spec.macs,
        "accuracy": spec.accuracy,
        "measure": MEASURES.get(spec.task),
        "source": source_of(spec),
        "command": f"evit-export {spec.short_name}",
        "artifacts": [_artifact_row(one) for one in known if one.wanted.model == spec.short_name],
    }


def _artifact_row(measured: Entry | Refusal) -> dict[str, Any]:
    values = measured.as_dict()
    return {**values.pop("wanted"), "command": measured.wanted.command, **values}


def _check(option: str, value: str | None, known: set[str]) -> None:
    if value is not None and value not in known:
        raise UserError(f"{option} {value}: expected one of {', '.join(sorted(known))}", Exit.USAGE)


def _matches(spec: ModelSpec, patterns: Sequence[str]) -> bool:
    """A pattern without wildcards is a part of the name."""
    names = (spec.name, spec.short_name)
    wanted = [pattern if set(pattern) & set("*?[") else f"*{pattern}*" for pattern in patterns]
    return not wanted or any(fnmatch.fnmatch(n, w) for n in names for w in wanted)


def _print(models: Sequence[ModelSpec]) -> None:
    from rich.table import Table

    table = Table(title="Models (figures as published)", title_justify="left")
    numeric = ("size", "params M", "GMACs", "accuracy")
    for column in ("name", "short", "task", "dataset", *numeric, "source"):
        table.add_column(column, justify="right" if column in numeric else "left")
    for spec in models:
        row = model_row(spec)
        accuracy = "-" if spec.accuracy is None else f"{spec.accuracy:.2f} {row['measure'] or ''}".strip()
        table.add_row(
            *(spec.name, spec.short_name, spec.task, spec.dataset, "x".join(map(str, spec.resolution))),
            *(f"{spec.parameters / 1e6:.2f}", f"{spec.macs / 1e9:.2f}", accuracy, row["source"] or "-"),
        )
    stdout_console().print(table)


def _print_artifacts(models: Sequence[ModelSpec], known: Known) -> None:
    from rich.table import Table

    from evit_deploy.benchmarks.zoo.text import ARTIFACT_HEAD, artifact_rows, refusals

    table = Table(
        title="Artifacts (random weights; instructions in millions, emulated)", title_justify="left"
    )
    text = ("model", "format", "precision", "measured on", "command")
    for column in ARTIFACT_HEAD:
        table.add_column(column, justify="left" if column in text else "right")
    for spec in models:
        for row in artifact_rows(spec, known):
            table.add_row(*row)
    stdout_console().print(table)
    for spec in models:
        for line in refusals(spec, known):
            click.echo(f"refused: {line}")

"""`evit-bench store`: results and reports of many days in one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.cli.common import reporter_of, verbosity_options
from evit_deploy.cli.store_options import (
    label_of,
    label_option,
    since_of,
    since_option,
    store_of,
    store_option,
)
from evit_deploy.errors import UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.store.document import Document
    from evit_deploy.benchmarks.store.store import Entry

_KINDS = ("result", "report")
_STDOUT = Path("-")


@click.group()
def store() -> None:
    """Keep results and reports in an append-only SQLite file."""


@store.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@label_option
@store_option
@verbosity_options
def add(files: tuple[Path, ...], label: str | None, store: Path | None, quiet: bool, verbose: bool) -> None:
    """Add result and report files: all of them or, where one cannot be read, none.

    What is there already, by its content, is left as it is.
    """
    path, reporter = store_of(store), reporter_of(quiet, verbose)
    from evit_deploy.benchmarks.store.document import read_document
    from evit_deploy.benchmarks.store.store import add as add_documents

    done = add_documents(path, [read_document(file) for file in files], label_of(label))
    for file, added in zip(files, done, strict=True):
        known = "" if added.new else f", there already, with the label {added.label or 'none'}"
        reporter.say(f"{file}: entry {added.id}{known}")
    reporter.say(f"store: {path}")


@store.command("list")
@click.argument("name", required=False, metavar="[ARTIFACT|MODEL]")
@click.option("-d", "--device", metavar="LABEL", help="Only what was measured there.")
@click.option("--kind", type=click.Choice(_KINDS))
@since_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@store_option
@verbosity_options
def list_entries(
    name: str | None,
    device: str | None,
    kind: str | None,
    since: datetime | None,
    as_json: bool,
    store: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """List the entries, the oldest measurement first."""
    path = store_of(store)
    from evit_deploy.benchmarks.store.store import Filter, entries

    reporter_of(quiet, verbose)
    found = entries(path, Filter(name, device, kind, since_of(since)))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in found], sort_keys=True))
    else:
        _print_entries(found)


@store.command()
@click.argument("entry", type=click.IntRange(1), metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="The document, as it came in.")
@store_option
@verbosity_options
def show(entry: int, as_json: bool, store: Path | None, quiet: bool, verbose: bool) -> None:
    """Show an entry as the command that made it did."""
    path = store_of(store)
    from evit_deploy.benchmarks.store.store import document_of

    reporter_of(quiet, verbose)
    document = document_of(path, entry)
    if as_json:
        click.echo(document.content, nl=False)
    else:
        _print_document(document)


@store.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Every entry.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FOLDER|-")
@store_option
@verbosity_options
def export(
    ids: tuple[int, ...], everything: bool, output: Path, store: Path | None, quiet: bool, verbose: bool
) -> None:
    """Write entries as the JSON files that came in; "-o -" writes one to stdout."""
    path, reporter = store_of(store), reporter_of(quiet, verbose)
    from evit_deploy.artifact import write_atomically
    from evit_deploy.benchmarks.store.store import document_of, entries

    if everything == bool(ids):
        raise UserError("name entries by ID, or --all of them")
    if output == _STDOUT and len(ids) != 1:
        raise UserError("--output -: takes one ID; name a folder for more")
    for entry in [entry.id for entry in entries(path)] if everything else ids:
        document = document_of(path, entry)
        if output == _STDOUT:
            click.echo(document.content, nl=False)
        else:
            file = output / f"{document.kind}-{entry:06d}.json"
            write_atomically(file, document.content)
            reporter.say(str(file))


@store.command()
@click.argument("kind", type=click.Choice(_KINDS), default="result")
def schema(kind: str) -> None:
    """Print the JSON Schema of result files or of report files."""
    from evit_deploy.benchmarks.schemas import schema_text

    click.echo(schema_text(kind), nl=False)


def _print_entries(entries: Sequence[Entry]) -> None:
    from rich import box
    from rich.table import Table

    from evit_deploy.cli.common import stdout_console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("id", "measured (UTC)", "kind", "label", "artifacts", "devices"):
        table.add_column(column)
    for entry in entries:
        many = ("\n".join(entry.artifacts), "\n".join(entry.devices))
        table.add_row(str(entry.id), entry.created[:19], entry.kind, entry.label or "-", *many)
    stdout_console().print(table, markup=False) if entries else click.echo("no entry")


def _print_document(document: Document) -> None:
    from evit_deploy.benchmarks.results import Result
    from evit_deploy.benchmarks.table import print_result
    from evit_deploy.cli.common import stdout_console

    if isinstance(document.value, Result):
        print_result(document.value, stdout_console())
        return
    report = document.value
    click.echo(f"{report.kind}: {report.baseline} -> {report.candidate}: {report.status.value}")
    for check in report.checks:
        place = "" if check.device is None else f" on {check.device}"
        click.echo(f"{check.artifact}{place}: {check.metric}: {check.word}: {check.summary}")

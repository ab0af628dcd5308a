"""`evit-bench report`: results, reports and profiles as a page, and in the formats of other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.cli.common import reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.report_options import format_options, takes_stdout, write_formats
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.report.sources import Sources

_RESULTS = Path("results")
_FILE = click.Path(path_type=Path)
_OPERATORS = 12  # as many as evit-bench profile lists


@click.command()
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE]...")
@format_options
@click.option("--history", type=_FILE, metavar="FILE", help="For the page: from evit-bench history --json.")
@click.option("--accuracy", type=_FILE, metavar="FILE", help="For the page: accuracies, as JSON or CSV.")
@click.option("--title", metavar="TEXT", help="Of the page.")
@click.option("--inconclusive", type=click.Choice(("pass", "fail")), help="In JUnit; default: skipped.")
@verbosity_options
def report(
    files: tuple[Path, ...],
    history: Path | None,
    accuracy: Path | None,
    title: str | None,
    inconclusive: str | None,
    quiet: bool,
    verbose: bool,
    **outputs: Path | None,
) -> None:
    """Show results, reports and profiles: a table here, or a page and other formats in files.

    FILE is what evit-bench, its compare, gate or profile wrote as JSON, any mix of them. Without FILE: the
    newest in ./results. Each output is a file, or - for stdout. See docs/report.md.
    """
    from evit_deploy.benchmarks.report.sources import read_sources

    reporter = reporter_of(quiet, verbose)
    takes_stdout(outputs)
    if not files and history is None:
        files = (newest(_RESULTS),)
        reporter.say(f"the newest: {files[0]}")
    sources = _with_extras(replace(read_sources(files), title=title), history, accuracy)
    _refuse_empty(sources, outputs)
    write_formats(sources, outputs, reporter, inconclusive)
    if not any(outputs.values()):
        _print(sources)


def newest(folder: Path) -> Path:
    """The JSON file in a folder that was written last.

    Raises:
        UserError: there is none.
    """
    found = sorted(folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not found:
        raise UserError(
            f"no FILE given, and nothing that ends in .json in '{folder}'; 'evit-bench' makes one",
            Exit.ARTIFACT_MISSING,
        )
    return found[-1]


def _with_extras(sources: Sources, history: Path | None, accuracy: Path | None) -> Sources:
    from evit_deploy.benchmarks.report.accuracy import read_accuracies
    from evit_deploy.benchmarks.report.history import points_from_json
    from evit_deploy.benchmarks.report.sources import read_json

    if history is not None:
        sources = replace(sources, history=points_from_json(history, read_json(history)))
    if accuracy is not None:
        sources = replace(sources, accuracies=read_accuracies(accuracy))
    return sources


def _refuse_empty(sources: Sources, outputs: dict[str, Path | None]) -> None:
    """Refuse a format that none of the files has anything for, rather than write it empty."""
    kinds = {"results": sources.results, "reports": sources.reports}
    for name, path in outputs.items():
        wanted = ("reports",) if name == "junit" else ("results", "reports")
        if path is not None and name != "html" and not any(kinds[kind] for kind in wanted):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} is made of {' and '.join(wanted)}; none of the files is one")


def _print(sources: Sources) -> None:
    """Every table on the terminal, as the commands that wrote the files print them."""
    from evit_deploy.benchmarks.per_operator.table import print_profile
    from evit_deploy.benchmarks.predict import predictions_of
    from evit_deploy.benchmarks.report.terminal import print_report
    from evit_deploy.benchmarks.table import print_result

    console = stdout_console()
    for one in sources.reports:
        print_report(one, console)
    for result in sources.results:
        print_result(result, console, predictions_of(result))
    for profile in sources.profiles:
        print_profile(profile, console, _OPERATORS)

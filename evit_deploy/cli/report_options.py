"""The outputs for other programs and people, for every command that compares: --html, --junit and so on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evit_deploy.cli.common import Reporter
from evit_deploy.errors import UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.checks import Report
    from evit_deploy.benchmarks.report.sources import Sources

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
STDOUT = Path("-")
# In the order of --help; the keys of benchmarks.report.formats.FORMATS.
_HELP: Mapping[str, str] = {
    "html": "A page: charts and tables; needs no network.",
    "markdown": "For a comment on a pull request.",
    "junit": "JUnit XML: a test case for each check.",
    "csv": "For a spreadsheet.",
    "bmf": "For Bencher (its metric format).",
    "github_benchmark": "For github-action-benchmark (customSmallerIsBetter).",
}
FORMAT_OPTIONS = tuple(
    click.option(f"--{name.replace('_', '-')}", name, type=_FILE, metavar="FILE", help=text)
    for name, text in _HELP.items()
)
_OUTPUT = click.option("-o", "--output", type=_FILE, metavar="FILE", help="The report as JSON.")


def format_options(function: F) -> F:
    """Add an option for every format; each takes a file, or - for stdout."""
    for option in reversed(FORMAT_OPTIONS):
        function = option(function)
    return function


def report_options(function: F) -> F:
    """Add an option for every format, and -o for the report as JSON; read them with `write_reports`.

    The function gets the keywords html, markdown, junit, csv, bmf, github_benchmark and output, each a Path
    or None.
    """
    return format_options(_OUTPUT(function))


def takes_stdout(options: Mapping[str, Path | None]) -> bool:
    """Whether one of the outputs goes to stdout, where a table would spoil it.

    Raises:
        UserError: more than one does.
    """
    wanted = [name for name in (*_HELP, "output") if options.get(name) == STDOUT]
    if len(wanted) > 1:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in wanted)
        raise UserError(f"{names} cannot both go to stdout; name a file for one of them")
    return bool(wanted)


def write_reports(
    report: Report,
    options: Mapping[str, Path | None],
    reporter: Reporter,
    inconclusive: str | None = None,
) -> None:
    """Write a report to every file that the options name; other options in there are left alone.

    Args:
        report: see `Report`.
        options: the command's keywords, or those that `report_options` added.
        reporter: says which files were written.
        inconclusive: "fail" makes an inconclusive check a failure in JUnit; else it is a skipped one.

    Raises:
        UserError: a file cannot be written.
        SetupError: a package that a format needs is not installed.
    """
    from evit_deploy.artifact import to_json
    from evit_deploy.benchmarks.report.sources import Sources

    takes_stdout(options)
    path = options.get("output")
    if path is not None:
        _write("report", path, to_json(report.as_dict()), reporter)
    write_formats(Sources(reports=(report,)), options, reporter, inconclusive)


def write_formats(
    sources: Sources,
    options: Mapping[str, Path | None],
    reporter: Reporter,
    inconclusive: str | None = None,
) -> None:
    """As `write_reports`, of everything that a report page can show."""
    from evit_deploy.benchmarks.report.formats import FORMATS, STRICT_FORMATS

    formats = STRICT_FORMATS if inconclusive == "fail" else FORMATS
    for name in _HELP:
        path = options.get(name)
        if path is not None:
            _write(name.replace("_", "-"), path, formats[name](sources).encode(), reporter)


def _write(what: str, path: Path, content: bytes, reporter: Reporter) -> None:
    from evit_deploy.artifact import write_atomically

    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    write_atomically(path, content)
    reporter.say(f"{what}: {path}")

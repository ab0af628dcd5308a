"""Every format by the name of its option, and the file that it makes of what was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evit_deploy.benchmarks.report.bencher import bencher_json
from evit_deploy.benchmarks.report.comma_separated import csv_text
from evit_deploy.benchmarks.report.figures import all_figures
from evit_deploy.benchmarks.report.github_benchmark import github_benchmark_json
from evit_deploy.benchmarks.report.junit import junit_xml
from evit_deploy.benchmarks.report.markdown import markdown_text
from evit_deploy.benchmarks.report.page import html_page
from evit_deploy.benchmarks.report.sources import Sources

Format = Callable[[Sources], str]


def _junit_strict(sources: Sources) -> str:
    return junit_xml(sources.reports, inconclusive_fails=True)


FORMATS: Mapping[str, Format] = {
    "html": html_page,
    "markdown": lambda s: markdown_text(s.results, s.reports),
    "junit": lambda s: junit_xml(s.reports),
    "csv": lambda s: csv_text(s.results, s.reports),
    "bmf": lambda s: bencher_json(all_figures(s.results, s.reports)),
    "github_benchmark": lambda s: github_benchmark_json(all_figures(s.results, s.reports)),
}
STRICT_FORMATS: Mapping[str, Format] = {**FORMATS, "junit": _junit_strict}

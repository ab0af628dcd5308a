"""One self-contained HTML page of everything that was given; it needs no network and loads nothing.

The template escapes all text; only drawings, whose text the XML library has escaped, go in as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evit_deploy import __version__
from evit_deploy.benchmarks.report.blocks import Section
from evit_deploy.benchmarks.report.sections.changes import history_sections
from evit_deploy.benchmarks.report.sections.checks import check_sections
from evit_deploy.benchmarks.report.sections.classes import class_sections
from evit_deploy.benchmarks.report.sections.environment import environment_sections
from evit_deploy.benchmarks.report.sections.instruction_time import instruction_time_sections
from evit_deploy.benchmarks.report.sections.latency import latency_sections
from evit_deploy.benchmarks.report.sections.pareto import pareto_sections
from evit_deploy.benchmarks.report.sections.predictions import prediction_sections
from evit_deploy.benchmarks.report.sections.stages import stage_sections
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import moment
from evit_deploy.errors import Exit, SetupError

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")
# In the order of the page.
_SECTIONS: tuple[Callable[[Sources], Iterator[Section]], ...] = (
    *(check_sections, latency_sections, class_sections, instruction_time_sections),
    *(prediction_sections, pareto_sections),
    *(stage_sections, history_sections, environment_sections),
)
# What HTML forbids, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0001fffd]")


def html_page(sources: Sources) -> str:
    """The page; the same sources give the same bytes.

    Raises:
        SetupError: jinja2 is not installed.
    """
    template = _environment().get_template("page.html")
    sections = [section for make in _SECTIONS for section in make(sources)]
    title = sources.title or "evit-deploy: report"
    created = sorted({moment(run.created) for run in sources.runs})
    page = template.render(title=title, sections=sections, created=created, version=__version__)
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", page)


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise SetupError(
            "an HTML page needs jinja2; install it with 'pip install evit-deploy[report]'", Exit.MISSING_EXTRA
        ) from error
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

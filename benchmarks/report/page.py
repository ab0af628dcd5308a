"""One self-contained HTML page."""

from __future__ import annotations

from evit_deploy.benchmarks.report.sources import Sources


def html_page(sources: Sources) -> str:
    """The page."""
    raise NotImplementedError(sources)

"""What `evit-export` prints: artifacts, verification reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from evit_deploy.cli.common import stdout_console
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.options import NO_TARGET

if TYPE_CHECKING:
    from evit_deploy.exporters.mask_decoder.export import ExportedDecoder
    from evit_deploy.exporters.reverify import Outcome


def print_exported(exported: Sequence[Exported | ExportedDecoder]) -> None:
    """One row an artifact."""
    table = _table("Exported and verified against PyTorch (float64)")
    for column in ("artifact", "size MB", "ops", "XNNPACK", "worst", "on input"):
        table.add_column(column, justify="left" if column in ("artifact", "on input") else "right")
    for item in exported:
        graph = item.manifest.graph
        partitions = "-"
        if graph.delegate_partitions is not None:
            plural = "" if graph.delegate_partitions == 1 else "s"
            partitions = (
                f"{graph.delegated_ops}/{graph.total_ops} in {graph.delegate_partitions} part{plural}"
            )
        worst = item.report.worst
        table.add_row(
            str(item.path),
            f"{graph.size_bytes / 1e6:.1f}",
            str(graph.total_ops),
            partitions,
            _closeness(item),
            worst.sample,
        )
    table.caption = _formulated_for(exported)
    stdout_console().print(table)


def _formulated_for(exported: Sequence[Exported | ExportedDecoder]) -> str | None:
    """Whose costs decided, where another target would have another graph."""
    chosen = [
        item.manifest for item in exported if item.manifest.format == "onnx" and item.manifest.formulations
    ]
    targets = sorted({str(manifest.options["target"]) for manifest in chosen} - {NO_TARGET})
    if not targets:
        return None
    return f"ONNX graphs are formulated for {', '.join(targets)}; for x86-64 export with --target {NO_TARGET}"


def print_reports(outcomes: Sequence[Outcome]) -> None:
    """One row an artifact and input."""
    table = _table("Verified against PyTorch (float64)")
    for column in ("artifact", "input", "SQNR dB", "float32 floor dB", "max/rms", "cosine", "agree", ""):
        table.add_column(column, justify="left" if column in ("artifact", "input", "") else "right")
    for outcome in outcomes:
        for check in outcome.report.checks:
            figures = check.comparison
            table.add_row(
                outcome.path.name,
                check.sample,
                _decibels(figures.sqnr_db),
                _decibels(check.floor_db),
                f"{figures.max_rel_rms:.1e}",
                f"{figures.cosine:.7f}",
                f"{figures.agreement:.2%}",
                "FAILED" if check.failure else "ok",
            )
    stdout_console().print(table)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", caption_justify="left")


def _closeness(item: Exported | ExportedDecoder) -> str:
    """SQNR of logits; the share of agreeing pixels of a class map, where decibels mean nothing."""
    comparison = item.report.worst.comparison
    if item.manifest.outputs[0].dtype == "int32":
        return f"{comparison.agreement:.3%} agree"
    return f"{_decibels(comparison.sqnr_db)} dB"


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "NaN"

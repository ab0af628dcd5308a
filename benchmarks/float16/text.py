"""What was examined as Markdown, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evit_deploy.benchmarks.float16.examine import Distance, Examined, Row

LEAST_DB = 40.0  # of a trained model; random weights have no answers that could be close
BELOW_FLOAT32_ATTENTION_DB = 3.0


def failures_of(examined: Examined, *, trained: bool) -> Iterator[str]:
    """What float16 is not allowed to do, in words; nothing where all is well."""
    if not examined.pieces_are_exact:
        yield "the pieces in float16 do not give the whole file's output"
    for row in examined.rows:
        ours, attention = row.ours.sqnr_db, row.attention.sqnr_db
        if ours is None:
            yield f"{row.image}: NaN or infinity in {row.ours.not_finite:.0%} of the output"
        elif trained and ours < LEAST_DB:
            yield f"{row.image}: {ours:.1f} dB, at least {LEAST_DB:.0f} are demanded"
        elif attention is not None and ours < attention - BELOW_FLOAT32_ATTENTION_DB:
            yield f"{row.image}: {ours:.1f} dB, with the attention in float32 {attention:.1f}"


def table(rows: Sequence[Row]) -> str:
    """A row for each image."""
    lines = [
        "| image | ours, dB | attention in float32, dB | difference | published attention, dB |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        figures = (_decibels(row.ours), _decibels(row.attention), _difference(row), _plain(row.plain))
        lines.append(f"| {' | '.join((row.image, *figures))} |")
    return "\n".join(lines) + "\n"


def _decibels(distance: Distance) -> str:
    if distance.sqnr_db is None:
        return f"**not finite** ({distance.not_finite:.0%})"
    return f"{distance.sqnr_db:.1f}"


def _difference(row: Row) -> str:
    if row.ours.sqnr_db is None or row.attention.sqnr_db is None:
        return "-"
    return f"{row.ours.sqnr_db - row.attention.sqnr_db:+.1f}"


def _plain(distance: Distance | None) -> str:
    return "does not load" if distance is None else _decibels(distance)

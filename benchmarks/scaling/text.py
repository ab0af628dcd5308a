"""The points and the laws that fit them, as the Markdown of docs/scaling.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from evit_deploy.artifact import FORMAT_SUFFIXES
from evit_deploy.benchmarks.scaling.fit import fit_polynomial, fit_power
from evit_deploy.benchmarks.scaling.points import OURS, PLAIN, SIZED, SOFTMAX, Point

LEGENDS = {OURS: "linear, our export", PLAIN: "linear, plain", SOFTMAX: "softmax, plain"}
Figure = Callable[[Point], float]


def markdown(points: Sequence[Point], model: str, device: str) -> str:
    """Tables by resolution and by size, each with its fits."""
    core = device.removeprefix("qemu:")
    parts = [f"Written on {date.today().isoformat()}; instructions of one inference on an emulated {core}."]
    for format in FORMAT_SUFFIXES:
        parts.append(f"### {model} in {format}, by resolution")
        parts.append(_by_resolution(of(points, model, format)))
    parts += ["### What fits", _fits(points, model)]
    parts += ["### B0 to B3 at 224", _by_size(points), _size_fits(points)]
    return "\n\n".join(parts) + "\n"


def of(points: Sequence[Point], model: str, format: str, kind: str | None = None) -> list[Point]:
    """The points of a model in a format, the smallest first."""
    chosen = [p for p in points if (p.graph.model, p.graph.format) == (model, format)]
    return sorted((p for p in chosen if kind in (None, p.graph.kind)), key=lambda p: p.pixels)


def instructions(point: Point) -> float:
    """Of one inference."""
    return point.instructions


def run_bytes(point: Point) -> float:
    """Memory that the graph takes."""
    return point.run_bytes


def _by_resolution(points: Sequence[Point]) -> str:
    head = ["input", *(f"{legend}, M" for legend in LEGENDS.values()), "softmax / plain", "ours, per pixel"]
    head += [f"{legend}, MB" for legend in LEGENDS.values()]
    rows = []
    for pixels in sorted({p.pixels for p in points}):
        kinds = {p.graph.kind: p for p in points if p.pixels == pixels}
        ours, some = kinds.get(OURS), next(iter(kinds.values()))
        rows.append(
            [
                f"{some.graph.height}x{some.graph.width}",
                *(_cell(kinds.get(kind), instructions) for kind in LEGENDS),
                _ratio(kinds.get(SOFTMAX), kinds.get(PLAIN)),
                "-" if ours is None else f"{ours.instructions / pixels:.0f}",
                *(_cell(kinds.get(kind), run_bytes) for kind in LEGENDS),
            ]
        )
    return table(head, rows)


def _fits(points: Sequence[Point], model: str) -> str:
    head = ["graph", "figure", "exponent", "residual of a line", "square term", "its residual"]
    rows = []
    for format in FORMAT_SUFFIXES:
        for kind, legend in LEGENDS.items():
            for name, figure in (("instructions", instructions), ("memory", run_bytes)):
                series = of(points, model, format, kind)
                if len(series) >= 4:
                    rows.append([f"{legend}, {format}", name, *_laws(series, figure)])
    return table(head, rows)


def _laws(series: Sequence[Point], figure: Figure) -> list[str]:
    x, y = [float(p.pixels) for p in series], [figure(p) for p in series]
    power, line, square = fit_power(x, y), fit_polynomial(x, y, 1), fit_polynomial(x, y, 2)
    return [
        f"{power.exponent:.2f}",
        f"{line.worst:.1%}",
        f"{square.share(2, max(x)):.0%}",
        f"{square.worst:.1%}",
    ]


def _by_size(points: Sequence[Point]) -> str:
    head = ["model", "parameters, M", "GMACs"]
    head += [cell for format in FORMAT_SUFFIXES for cell in (f"{format}, M", "per MAC", "memory, MB")]
    rows = []
    for model in SIZED:
        both = [point for format in FORMAT_SUFFIXES for point in of(points, model, format, OURS)]
        if len(both) < len(FORMAT_SUFFIXES):
            continue
        row = [model, f"{both[0].parameters / 1e6:.2f}", f"{both[0].macs / 1e9:.2f}"]
        for point in both:
            per_mac = f"{point.instructions / point.macs:.3f}"
            row += [_cell(point, instructions), per_mac, _cell(point, run_bytes)]
        rows.append(row)
    return table(head, rows)


def _size_fits(points: Sequence[Point]) -> str:
    lines = []
    for format in FORMAT_SUFFIXES:
        series = [point for model in SIZED for point in of(points, model, format, OURS)]
        if len(series) < len(SIZED):
            continue
        macs, counts = [p.macs for p in series], [instructions(p) for p in series]
        power, line = fit_power(macs, counts), fit_polynomial(macs, counts, 1)
        lines.append(
            f"{format}: instructions grow with MACs^{power.exponent:.2f} (residual {power.worst:.1%}); as "
            f"{line.coefficients[0] / 1e6:.0f} M + {line.coefficients[1]:.3f} a MAC, the residual is "
            f"{line.worst:.1%}."
        )
    return "\n".join(lines)


def _cell(point: Point | None, figure: Figure) -> str:
    return "-" if point is None else f"{figure(point) / 1e6:.1f}"


def _ratio(one: Point | None, other: Point | None) -> str:
    return "-" if one is None or other is None else f"{one.instructions / other.instructions:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

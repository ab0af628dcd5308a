"""`evit-bench segment`: what an EfficientViT-SAM finds in a photograph, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.cli.common import reporter_of, verbosity_options
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.segment_picture import Prompt


@click.command("segment")
@click.argument("encoder", type=click.Path(path_type=Path))
@click.argument("decoder", type=click.Path(path_type=Path))
@click.option("--image", type=click.Path(path_type=Path), help="Default: a photograph of scikit-learn's.")
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="X,Y[,0]",
    help="On the object, in pixels; with ,0 beside it. Repeatable: all are one prompt, with the box.",
)
@click.option("--box", metavar="X0,Y0,X1,Y1", help="Around the object.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: ENCODER.segment.png.")
@verbosity_options
def segment(
    encoder: Path,
    decoder: Path,
    image: Path | None,
    points: tuple[str, ...],
    box: str | None,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Draw the mask that an EfficientViT-SAM finds for a prompt.

    ENCODER and DECODER are artifacts of one model: of `evit-export sam-l0` and `evit-export decoder sam-l0`.
    Without --point and --box: two prompts, a point in the middle and a box around it, side by side.
    """
    from evit_deploy.benchmarks.segment_picture import draw_masks

    reporter = reporter_of(quiet, verbose)
    path = output or Path(f"{encoder.name}.segment.png")
    if path.suffix != ".png":
        raise UserError(f"--output {path}: expected a name that ends in .png")
    prompt = _prompt(points, box)
    draw_masks(encoder, decoder, image, None if prompt is None else (prompt,), path)
    reporter.say(f"picture: {path}")


def _prompt(points: tuple[str, ...], box: str | None) -> Prompt | None:
    """What the options say; `None` where they say nothing."""
    from evit_deploy.benchmarks.segment_picture import Prompt

    if not points and box is None:
        return None
    rows = [_numbers("--point", text, (2, 3), "X,Y or X,Y,0") for text in points]
    return Prompt(
        points=tuple((row[0], row[1]) for row in rows),
        labels=tuple(int(row[2]) if len(row) == 3 else 1 for row in rows),
        box=None if box is None else _numbers("--box", box, (4,), "X0,Y0,X1,Y1"),
    )


def _numbers(option: str, text: str, counts: tuple[int, ...], expected: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in counts:
        raise UserError(f"{option} {text}: expected {expected}", Exit.USAGE)
    return values

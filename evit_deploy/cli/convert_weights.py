"""`evit-export convert-weights`: a checkpoint in another key layout."""

from __future__ import annotations

from pathlib import Path

import click

from evit_deploy.artifact import write_atomically
from evit_deploy.cli.common import reporter_of, verbosity_options
from evit_deploy.errors import Exit, UserError


@click.command("convert-weights", short_help="Write a checkpoint in another key layout.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "-m", "--model", metavar="NAME|FILE.toml", help="Where not given, the one that the checkpoint fits."
)
@click.option(
    "--to",
    "layout",
    type=click.Choice(["published", "timm", "own"]),
    required=True,
    help="own: published names, and a note of the model.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Ends in .safetensors, .pt or .pth.",
)
@verbosity_options
def convert_weights(
    checkpoint: Path, model: str | None, layout: str, output: Path, quiet: bool, verbose: bool
) -> None:
    """Write the weights of a checkpoint, in any layout, under the names that another program expects.

    The tensors stay as they are, in float32. CHECKPOINT is the authors' file, timm's, or one of your own
    training: .pt, .pth or .safetensors.
    """
    reporter = reporter_of(quiet, verbose)
    from evit_deploy.models.checkpoints import load_checkpoint
    from evit_deploy.models.own_models import model_named
    from evit_deploy.models.weight_layouts import check_output, model_of_checkpoint, weights_file

    check_output(layout, output)
    if output.exists() and checkpoint.exists() and output.samefile(checkpoint):
        raise UserError(f"--output '{output}' is the checkpoint itself: name another file", Exit.OUTPUT)
    spec = model_of_checkpoint(checkpoint) if model is None else model_named(model)
    tensors = load_checkpoint(checkpoint, spec)
    write_atomically(output, weights_file(tensors, spec, layout, output.suffix, checkpoint))
    reporter.say(f"{output}: {spec.name}, {len(tensors)} tensors, layout {layout}")

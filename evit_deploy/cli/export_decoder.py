"""`evit-export decoder`: the mask decoder of an EfficientViT-SAM, verified before it is written."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evit_deploy.artifact import DEFAULT_FOLDER, FORMAT_SUFFIXES
from evit_deploy.cli.common import reporter_of, verbosity_options
from evit_deploy.cli.export_options import format_option, manifests_option, seed_option
from evit_deploy.errors import Exit, SetupError


@click.command("decoder")
@click.argument("model")
@format_option
@click.option(
    "--points",
    type=click.IntRange(min=2),
    metavar="N",
    help="Places for points; a box takes two. ONNX: any number where not given; TFLite: 8.",
)
@click.option("-w", "--weights", default="auto", show_default=True, metavar="auto|pretrained|random|PATH")
@seed_option
@click.option("-o", "--output", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True)
@manifests_option
@verbosity_options
def decoder(
    model: str,
    formats: tuple[str, ...],
    points: int | None,
    weights: str,
    seed: int,
    output: Path,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Export what makes masks of an EfficientViT-SAM's embedding and a prompt.

    MODEL is the encoder's name, such as sam-l0, whose checkpoint holds the decoder as well: export both with
    the same --weights. See docs/sam.md.

    \b
    Example:
      evit-export decoder sam-l0 --format onnx
    """
    _require_transformers()
    from evit_deploy.cli.export_table import print_exported
    from evit_deploy.exporters.mask_decoder.export import DecoderJob, export_decoder
    from evit_deploy.exporters.mask_decoder.options import DecoderOptions
    from evit_deploy.exporters.quiet import captured_output
    from evit_deploy.models.zoo import find_model

    reporter = reporter_of(quiet, verbose)
    spec = find_model(model)
    settled = [DecoderOptions(name, points).settled(spec) for name in formats or tuple(FORMAT_SUFFIXES)]
    with captured_output():  # of what else it could load, transformers says much at its import
        from evit_deploy.models.mask_decoder_weights import resolve_decoder_weights

        loaded = resolve_decoder_weights(spec, weights, seed=seed)
    if loaded.warning:
        reporter.warn(loaded.warning)
    exported = []
    for options in settled:
        job = DecoderJob(spec, options, loaded, output)
        with reporter.progress(job.path.name) as step:
            exported.append(export_decoder(job, step))
    if as_json:
        click.echo(json.dumps([{"path": str(e.path), **e.manifest.as_dict()} for e in exported], indent=2))
    else:
        print_exported(exported)


def _require_transformers() -> None:
    from importlib.util import find_spec

    if find_spec("transformers") is None:
        raise SetupError(
            "the mask decoder needs transformers: install it with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        )

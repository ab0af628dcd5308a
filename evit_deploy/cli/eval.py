"""`evit-eval`: the accuracy of artifacts and of reference models on a dataset on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evit_deploy import __version__
from evit_deploy.cli.common import Reporter, reporter_of, run_command, stdout_console, verbosity_options
from evit_deploy.cli.device_choices import setup_options
from evit_deploy.cli.eval_request import (
    DEFAULT_DEVICE,
    DEFAULT_WEIGHTS,
    EvalRequest,
    refuse_beside_resume,
    refuse_senseless,
)
from evit_deploy.cli.resolution import parse_resolution
from evit_deploy.cli.runtime_options import INTERPRETERS, runtime_options, runtime_options_of
from evit_deploy.errors import UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.accuracy.results import Evaluation
    from evit_deploy.cli.eval_run import Opened

# Those of benchmarks.accuracy.layouts; written out since importing them would cost --help its quick answer.
LAYOUTS = ("imagenet", "cityscapes", "ade20k", "folder")
_BESIDE_RESUME = ("resume", "as_json", "pictures", "worst", "no_setup", "no_wait", "quiet", "verbose")
_WORST = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evit-eval")
@click.argument("artifacts", nargs=-1, type=click.Path(), metavar="[ARTIFACT]...")
@click.option(
    "--data", type=click.Path(), metavar="FOLDER", help="The dataset. Required, except with --resume."
)
@click.option("--layout", type=click.Choice(LAYOUTS), help="Where not given, seen from the structure.")
@click.option("--split", metavar="NAME", help="Default: val; ade20k: validation.")
@click.option("--classes", type=click.Path(), metavar="FILE", help="The classes' names in order, one a line.")
@click.option("-m", "--model", metavar="NAME|FILE", help="Also (or only) this reference model, in PyTorch.")
@click.option(
    "-w",
    "--weights",
    default=DEFAULT_WEIGHTS,
    show_default=True,
    metavar="pretrained|PATH|random|auto",
    help="Of --model.",
)
@click.option(
    "-r",
    "--resolution",
    callback=parse_resolution,
    metavar="SIZE|HxW",
    help="Of --model; the published one where not given.",
)
@click.option("--against", metavar="ARTIFACT|MODEL", help="Compare with this: agreement and difference.")
@click.option(
    "--against-weights",
    default=DEFAULT_WEIGHTS,
    show_default=True,
    metavar="pretrained|PATH|random|auto",
    help="Of a model that --against names.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="N images, drawn by --seed.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of --limit and bootstrap."
)
@click.option(
    "-d",
    "--device",
    default=DEFAULT_DEVICE,
    show_default=True,
    metavar="NAME",
    help="Where artifacts run; any of evit-bench's that has a Python.",
)
@click.option("-t", "--threads", type=click.IntRange(1), metavar="N", help="Default: evit.toml's, else 1.")
@click.option("--interpreter", type=click.Choice(INTERPRETERS), default="auto", help="For TFLite files.")
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE.json", help="Default: results/eval-TIME.json."
)
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="FILE", help="Finish an interrupted evaluation."
)
@click.option(
    "--pictures", type=click.Path(path_type=Path), metavar="FOLDER", help="Draw the worst images here."
)
@click.option(
    "--worst", type=click.IntRange(1), default=_WORST, show_default=True, metavar="N", help="So many."
)
@click.option("--json", "as_json", is_flag=True, help="The result on stdout instead of tables; no records.")
@setup_options
@runtime_options
@verbosity_options
def evaluate_command(
    artifacts: tuple[str, ...],
    resume: Path | None,
    pictures: Path | None,
    worst: int,
    as_json: bool,
    no_setup: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Evaluate ONNX and TFLite artifacts, or reference models, on a dataset on disk.

    Images are preprocessed as published, by what the artifact's manifest says. Classification: top-1 and
    top-5. Segmentation: IoU of each class, mIoU, pixel accuracy. Files that cannot be used are listed with a
    reason.

    \b
    Layouts of FOLDER:
      imagenet    CLASS/IMAGE or val/CLASS/IMAGE
      cityscapes  leftImg8bit/val/CITY/*_leftImg8bit.png, gtFine/val/CITY/*_gtFine_labelIds.png
      ade20k      images/validation/*.jpg, annotations/validation/*.png
      folder      images/NAME.*, masks/NAME.*

    \b
    Examples:
      evit-eval b1.tflite --data imagenet/val
      evit-eval b1.onnx b1-int8.tflite --data imagenet/val --against b1 --limit 1000
      evit-eval seg.tflite --data cityscapes --pictures worst --worst 20
      evit-eval --model b0 --weights checkpoint.pt --data my_images
      evit-eval b1-int8.tflite --data imagenet/val --limit 100 --device qemu:cortex-a76
    """
    from evit_deploy.benchmarks.accuracy.images import require_pillow

    context = click.get_current_context()
    reporter = reporter_of(quiet, verbose)
    _refuse_without_pictures(context, pictures)
    require_pillow()
    from evit_deploy.cli.eval_run import evaluate, opened, requested

    if resume is not None:
        refuse_beside_resume(context, _BESIDE_RESUME)
        request = requested(resume)
    else:
        request = _request(artifacts, settings)
    with opened(request, reporter, setup=not no_setup, wait=not no_wait) as ready:
        evaluation, records = evaluate(ready, resume, reporter)
        _write(evaluation, Path(request.output), records)
        _show(evaluation, as_json, reporter)
        reporter.say(f"result: {request.output}")
        if pictures is not None:
            _draw(ready, evaluation, pictures, worst, reporter)


def _request(artifacts: tuple[str, ...], settings: dict[str, Any]) -> EvalRequest:
    """What the options ask for.

    Raises:
        UserError: they ask for nothing, say what nobody reads, or no device can do it.
    """
    from evit_deploy.cli.device_choices import choose
    from evit_deploy.devices import resolve

    options = runtime_options_of(settings).given()
    names = EvalRequest.__dataclass_fields__.keys()
    chosen = {name: value for name, value in settings.items() if name in names and name != "output"}
    if chosen["data"] is None:
        raise UserError("--data FOLDER: the dataset is missing")
    output = settings["output"] or f"results/eval-{datetime.now(timezone.utc):%Y%m%dT%H%M%S}.json"
    if not output.endswith(".json"):
        raise UserError(f"--output {output}: expected a name that ends in .json")
    request = EvalRequest(**{**chosen, "threads": 1}, artifacts=artifacts, output=output, options=options)
    refuse_senseless(request)
    threads, cores = choose([resolve(request.device)], settings["threads"], None)
    return replace(request, threads=threads, cores=cores)


def _refuse_without_pictures(context: click.Context, pictures: Path | None) -> None:
    given = context.get_parameter_source("worst") is not click.core.ParameterSource.DEFAULT
    if given and pictures is None:
        raise UserError("--worst says how many to draw: it needs --pictures FOLDER")


def _write(evaluation: Evaluation, path: Path, records: Path) -> None:
    """The result; the records are in it, so their own file goes."""
    from evit_deploy.artifact import to_json, write_atomically

    write_atomically(path, to_json(evaluation.as_dict()))
    records.unlink()


def _show(evaluation: Evaluation, as_json: bool, reporter: Reporter) -> None:
    from evit_deploy.benchmarks.accuracy.table import print_evaluation

    if as_json:
        click.echo(json.dumps(evaluation.summary(), sort_keys=True))
    else:
        print_evaluation(evaluation, stdout_console())
    problems = len(evaluation.dataset["problems"])
    if problems:
        reporter.warn(f"{problems} files were left out; the figures are of the rest. The result says why")


def _draw(ready: Opened, evaluation: Evaluation, folder: Path, worst: int, reporter: Reporter) -> None:
    from evit_deploy.benchmarks.accuracy.pictures import draw_worst

    drawn = draw_worst(ready.dataset, evaluation.records, ready.subjects, ready.reference, folder, worst)
    reporter.say(f"pictures: {len(drawn)} in {folder}")


def main() -> None:
    """The console command."""
    run_command(evaluate_command)


if __name__ == "__main__":
    main()

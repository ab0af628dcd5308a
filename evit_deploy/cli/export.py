"""`evit-export`: models to verified ONNX and TFLite files.

Everything heavy (torch, the converters) is imported inside the commands: `--help` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import evit_deploy
from evit_deploy.artifact import DEFAULT_FOLDER, FORMAT_SUFFIXES
from evit_deploy.cli.calibration import calibrations_of, formats_of, method_options, warn_of_the_default
from evit_deploy.cli.common import DefaultGroup, Reporter, reporter_of, run_command, verbosity_options
from evit_deploy.cli.convert_weights import convert_weights
from evit_deploy.cli.export_decoder import decoder
from evit_deploy.cli.export_options import (
    format_option,
    jobs_option,
    keep_failed_option,
    keep_samples_option,
    manifests_option,
    seed_option,
)
from evit_deploy.cli.model_list import list_models
from evit_deploy.cli.resolution import parse_resolution, resolution_option
from evit_deploy.cli.sensitivity import sensitivity
from evit_deploy.errors import Exit, ParityError, SetupError, UserError

if TYPE_CHECKING:
    from evit_deploy.exporters.export import Exported
    from evit_deploy.exporters.job import ExportJob
    from evit_deploy.models.zoo import ModelSpec

DEFAULT_MODEL = "efficientvit-b1"
# Of `plain` -> what the artifact calls it: there int8 is not what it is elsewhere.
PLAIN_PRECISIONS = {"fp32": "fp32", "int8": "int8-full"}


@click.group(cls=DefaultGroup, default="run", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(evit_deploy.__version__, prog_name="evit-export")
def cli() -> None:
    """Export EfficientViT models to ONNX and TFLite, each verified against PyTorch before it is written.

    \b
    Examples:
      evit-export                                   EfficientViT-B1 at 224, both formats
      evit-export b0 b1 --format tflite -r 256
      evit-export seg-b0-cityscapes -r 512x1024 --head argmax --preprocess
      evit-export b1 --weights checkpoint.pt
      evit-export verify artifacts/efficientvit_b1-r224-fp32-random.onnx
      evit-export decoder sam-l0                    its mask decoder, beside the encoder
      evit-export sensitivity b0 -r 96 --calibration images/
      evit-export convert-weights timm_b1.safetensors --to published -o b1.pt
      evit-export list
    """


@cli.command("run", short_help="Export models (the default command).")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@format_option
@click.option(
    "-p",
    "--precision",
    "precisions",
    type=click.Choice(["fp32", "fp16-weights", "fp16", "int8", "int8-dynamic", "int8-weights"]),
    default=["fp32"],
    show_default=True,
    multiple=True,
    help="Repeatable. *-weights: smaller file, computed in float32. fp16: TFLite. int8*: convolutions.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FOLDER|FILE.npz|DATASET",
    help="Images that int8 and fp16 take ranges from; scikit-learn's two, with a warning, where not given.",
)
@method_options
@click.option(
    "--min-sqnr",
    "min_sqnr_db",
    type=float,
    metavar="DB",
    help="int8 TFLite: leave as few blocks in float32 as bring the output so close to the float32 graph's.",
)
@resolution_option
@click.option(
    "-w",
    "--weights",
    default="auto",
    show_default=True,
    metavar="auto|pretrained|random|PATH",
    help="auto: pretrained where they can be had, else random with a warning.",
)
@seed_option
@click.option("--num-classes", type=click.IntRange(min=1), help="Where not given, the checkpoint's own.")
@click.option("--layout", type=click.Choice(["nchw", "nhwc"]), help="Of the input; ONNX: nchw, TFLite: nhwc.")
@click.option("--dynamic-batch", is_flag=True, help="Leave the batch size open (ONNX).")
@click.option(
    "--io",
    type=click.Choice(["float", "int8"]),
    default="float",
    show_default=True,
    help="int8: ends of an int8 graph as 8-bit codes; scale and zero point are in the manifest.",
)
@click.option("--preprocess", is_flag=True, help="Take uint8 RGB pixels (NHWC) and normalise in the graph.")
@click.option(
    "--head",
    type=click.Choice(["logits", "upsample", "argmax"]),
    default="logits",
    show_default=True,
    help="Segmentation: logits at 1/8, logits at the input's size, or the class map.",
)
@click.option(
    "--argmax-at",
    type=click.Choice(["input", "logits"]),
    default="input",
    show_default=True,
    help="Resolution of the class map.",
)
@click.option(
    "--upsample",
    type=click.Choice(["bicubic", "bilinear"]),
    default="bicubic",
    show_default=True,
    help="bilinear is another network than the published one; the manifest says so.",
)
@click.option(
    "--target",
    default="cortex-a76",
    show_default=True,
    metavar="CORE|x86-64|NAME",
    help="Whose costs decide how the graph is formulated; it computes the same on any.",
)
@click.option("--tuned", is_flag=True, help="Prefer costs that --tune measured here to the shipped ones.")
@click.option("--tune", is_flag=True, help="First measure what formulations cost where nobody has; --tuned.")
@click.option("-d", "--device", metavar="DEVICE", help="For --tune; the target, emulated, where not given.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder for the artifacts.",
)
@jobs_option
@keep_failed_option
@keep_samples_option
@manifests_option
@verbosity_options
def run(
    models: tuple[str, ...],
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    output: Path,
    processes: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Export models and verify them.

    A model is a published name or its short form, efficientvit-b1 or b1, or a file that describes one of your
    own: road.toml. Without one: efficientvit-b1. Each artifact is a graph, its manifest (.json) and a check
    file (.check.npz).
    """
    reporter = reporter_of(quiet, verbose)
    require_export_packages()
    from evit_deploy.cli.peer_models import refuse_peers
    from evit_deploy.cli.tune import refuse_nothing_to_tune, refuse_unknown_target

    refuse_peers(models)
    tune = settings.pop("tune")
    if not tune:
        refuse_unknown_target(settings["target"], tuned=settings["tuned"])
    if settings["device"] and not tune:
        raise UserError("--device is where --tune measures: an export needs none", Exit.USAGE)
    images = settings.pop("calibration")
    calibrations = calibrations_of(images, precisions)
    mixed = settings["min_sqnr_db"] is not None
    wanted = [(f, p) for p in dict.fromkeys(precisions) for f in formats or formats_of(p, mixed=mixed)]
    jobs = jobs_of(models or (DEFAULT_MODEL,), wanted, output, reporter, settings)
    if tune or settings["tuned"]:
        refuse_nothing_to_tune(jobs)
    warn_of_the_default(calibrations, images, reporter)
    jobs = [replace(job, calibration=calibrations.get(job.options.precision)) for job in jobs]
    exported = _export_all(_tuned(jobs, tune, settings, reporter), processes, reporter)
    if as_json:
        click.echo(json.dumps([{"path": str(e.path), **e.manifest.as_dict()} for e in exported], indent=2))
    else:
        from evit_deploy.cli.export_table import print_exported

        print_exported(exported)


def jobs_of(
    models: tuple[str, ...],
    wanted: Iterable[tuple[str, str]],
    output: Path,
    reporter: Reporter,
    settings: dict[str, Any],
) -> list[ExportJob]:
    """Every job, checked before the first begins: names and options of all, then weights.

    `wanted` are pairs of format and precision.
    """
    from evit_deploy.exporters.job import ExportJob
    from evit_deploy.exporters.options import ExportOptions
    from evit_deploy.models.own_models import model_named
    from evit_deploy.models.weights import resolve_weights

    ends = ("layout", "dynamic_batch", "preprocess", "head", "argmax_at")
    precision = ("min_sqnr_db", "calibration_method", "percentile", "io")
    names = (*precision, *ends, "upsample", "attention", "target")
    chosen = {name: settings[name] for name in names if name in settings}
    pairs, planned = list(dict.fromkeys(wanted)), []
    for spec in _distinct(map(model_named, models)):
        resolution = settings["resolution"] or spec.resolution
        options = [ExportOptions(f, resolution, precision=p, **chosen) for f, p in pairs]
        planned.append((spec, [o.settled(spec) for o in options]))
    jobs = []
    for spec, settled in planned:
        weights = resolve_weights(
            spec,
            settings["weights"],
            seed=settings.get("seed", 0),
            resolution=settled[0].resolution,
            num_classes=settings.get("num_classes"),
        )
        if weights.warning:
            reporter.warn(weights.warning)
        keep = {name: settings.get(name, False) for name in ("keep_failed", "keep_samples")}
        jobs += [ExportJob(spec, o, weights, output, **keep) for o in settled]
    return jobs


def _distinct(specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """Each once.

    Raises:
        UserError: two models would be written to the same files.
    """
    found: dict[str, ModelSpec] = {}
    for spec in specs:
        if found.setdefault(spec.name, spec) != spec:
            raise UserError(f"two models are named {spec.name}: give one of them another name in its file")
    return list(found.values())


def _tuned(
    jobs: list[ExportJob], tune_first: bool, settings: dict[str, Any], reporter: Reporter
) -> list[ExportJob]:
    """With the user's own costs where they are asked for, measured before where that is."""
    from evit_deploy.cli.tune import own_tables, tune

    if tune_first:
        tune(jobs, settings["device"], reporter)
    if not (tune_first or settings["tuned"]):
        return jobs
    return [replace(job, tables=own_tables()) for job in jobs]


def _export_all(jobs: list[ExportJob], processes: int | None, reporter: Reporter) -> list[Exported]:
    """In so many processes; as many as cores and memory bear where not said."""
    from evit_deploy.exporters.several import export_one_by_one, export_side_by_side, processes_for

    count = processes_for(jobs) if processes is None else min(processes, len(jobs))
    with reporter.progress(_title(jobs)) as step:

        def say(job: ExportJob, text: str) -> None:
            step(text if len(jobs) == 1 else f"{job.path.name}: {text}")

        together = export_side_by_side(jobs, count, say) if count > 1 else export_one_by_one(jobs, say)
        exported = list(together)
    for made in exported:
        reporter.detail(made.path.name)
        for check in made.report.checks:
            reporter.detail(
                f"  {check.sample}: {check.comparison.sqnr_db:.1f} dB (float32 floor {check.floor_db:.1f} dB)"
            )
    return exported


def _title(jobs: list[ExportJob]) -> str:
    return jobs[0].path.name if len(jobs) == 1 else f"{len(jobs)} artifacts"


@cli.command()
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-w", "--weights", metavar="PATH", help="The checkpoint, for artifacts made from a file.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The images, for artifacts that took ranges of yours.",
)
@click.option(
    "--interpreter",
    default="auto",
    show_default=True,
    metavar="auto|litert|tflite_runtime|tensorflow",
    help="For TFLite files; tensorflow gives a second opinion.",
)
@click.option("--json", "as_json", is_flag=True, help="Reports on stdout, for machines.")
@verbosity_options
def verify(
    artifacts: tuple[Path, ...],
    weights: str | None,
    calibration: Path | None,
    interpreter: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compare existing artifacts with the reference again.

    Exit code 1 where one differs, naming the first module that does.
    """
    reporter = reporter_of(quiet, verbose)
    require_export_packages()
    from evit_deploy.cli.export_table import print_reports
    from evit_deploy.exporters.reverify import verify_artifact

    outcomes = []
    for path in artifacts:
        with reporter.progress(f"verify {path.name}") as step:
            outcomes.append(
                verify_artifact(
                    path, weights=weights, interpreter=interpreter, step=step, calibration=calibration
                )
            )
    if as_json:
        click.echo(json.dumps({str(o.path): o.report.as_dict() for o in outcomes}, indent=2))
    else:
        print_reports(outcomes)
    failed = [f"{o.path.name}: {o.wrong}" for o in outcomes if o.wrong]
    if failed:
        raise ParityError("; ".join(failed))


@cli.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("-f", "--format", "formats", type=click.Choice(list(FORMAT_SUFFIXES)), multiple=True)
@click.option(
    "--exporter",
    type=click.Choice(["torchscript", "dynamo"]),
    default="torchscript",
    show_default=True,
    help="Of torch's, to ONNX; dynamo writes no TFLite, and its graphs are known to fail verification.",
)
@click.option(
    "-p",
    "--precision",
    type=click.Choice(list(PLAIN_PRECISIONS)),
    default="fp32",
    show_default=True,
    help="int8: every operator that the general quantizers take; B1 at 224 fails verification.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FOLDER|FILE.npz|DATASET",
    help="Images that int8 takes ranges from; scikit-learn's two, with a warning, where not given.",
)
@click.option("-r", "--resolution", callback=parse_resolution, metavar="SIZE|HxW")
@click.option("-w", "--weights", default="random", show_default=True, metavar="auto|pretrained|random|PATH")
@click.option("--upsample", type=click.Choice(["bicubic", "bilinear"]), default="bicubic", show_default=True)
@click.option(
    "--attention",
    type=click.Choice(["linear", "softmax"]),
    default="linear",
    show_default=True,
    help="softmax is another network, with the same weights; name and manifest say so.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True)
@jobs_option
@keep_failed_option
@keep_samples_option
@verbosity_options
def plain(
    models: tuple[str, ...],
    formats: tuple[str, ...],
    exporter: str,
    output: Path,
    processes: int | None,
    quiet: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Export the published formulation as it is, for comparison.

    The files end in -plain, or -plain-dynamo: nothing is rewritten, and the general exporters (one of torch's
    for ONNX, litert-torch for TFLite) are left alone.
    """
    reporter = reporter_of(quiet, verbose)
    require_export_packages()
    from evit_deploy.cli.export_table import print_exported
    from evit_deploy.cli.peer_models import refuse_changes
    from evit_deploy.exporters.plain import PLAIN_EXPORTERS, PLAIN_PIPELINE

    refuse_changes(models, settings)
    chosen = PLAIN_EXPORTERS[exporter]
    wanted = formats or tuple(chosen.formats)
    if unknown := set(wanted) - set(chosen.formats):
        raise UserError(
            f"--exporter {exporter}: it does not write {', '.join(unknown)}; leave the format out"
        )
    precision = PLAIN_PRECISIONS[settings.pop("precision")]
    images = settings.pop("calibration")
    calibrations = calibrations_of(images, [precision])
    pairs = [(format, precision) for format in wanted]
    jobs = jobs_of(models or (DEFAULT_MODEL,), pairs, output, reporter, settings)
    warn_of_the_default(calibrations, images, reporter)
    plain_job = partial(
        replace,
        pipeline=PLAIN_PIPELINE,
        formats=chosen.formats,
        label=chosen.label,
        calibration=calibrations.get(precision),
    )
    plain_jobs = [plain_job(job) for job in jobs]
    print_exported(_export_all(plain_jobs, processes, reporter))


def require_export_packages() -> None:
    """Say what to install where the "export" extra is missing.

    Raises:
        SetupError: torch, onnx or onnxsim is not installed.
    """
    from importlib.util import find_spec

    missing = [name for name in ("torch", "onnx", "onnxsim", "onnxscript") if find_spec(name) is None]
    if missing:
        raise SetupError(
            f"export needs {', '.join(missing)}: install them with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        )


cli.add_command(decoder)
cli.add_command(sensitivity)
cli.add_command(convert_weights)
cli.add_command(list_models)


def main() -> None:
    """Entry point of `evit-export`."""
    run_command(cli)


if __name__ == "__main__":
    main()

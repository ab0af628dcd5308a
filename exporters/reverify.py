"""An existing artifact against its reference again, from what its manifest says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evit_deploy.artifact import Manifest, TensorSpec, data_path, manifest_path, read_manifest, sha256_of
from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.custom import CUSTOM
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.judge import class_axis, wrong_with
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.calibration import SHIPPED, Calibration, read_calibration
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.reference import reference_of, reference_values
from evit_deploy.exporters.verify import ParityReport, verify_graph
from evit_deploy.models.own_models import recorded_model
from evit_deploy.models.weights import LoadedWeights, resolve_weights
from evit_deploy.models.zoo import ModelSpec
from evit_deploy.runtimes import TensorInfo, open_runner


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report on one artifact; `wrong` says what differs first, `None` where nothing does."""

    path: Path
    report: ParityReport
    wrong: str | None


def verify_artifact(
    path: Path,
    *,
    weights: str | None,
    interpreter: str,
    step: Callable[[str], None],
    calibration: Path | None = None,
) -> Outcome:
    """Rebuild the reference that a manifest describes and compare the graph with it.

    Args:
        path: of the graph; its manifest lies beside it.
        weights: a checkpoint, for artifacts that were made from a file.
        interpreter: which TFLite interpreter.
        step: is told what begins now.
        calibration: the images, for artifacts whose ranges were taken of the user's own.

    Raises:
        UserError: no such file, no manifest, or weights or images that are not the ones it was made from.
    """
    if not path.is_file():
        raise UserError(f"no artifact: '{path}' is not a file", Exit.ARTIFACT_MISSING)
    with open_runner(path, interpreter=interpreter) as runner:  # damaged files are refused here
        ends = _ends(runner.inputs), _ends(runner.outputs)
    manifest = read_manifest(path)
    if manifest is None:
        raise UserError(
            f"{path}: has no manifest beside it ('{path.name}.json'), so there is nothing to compare with; "
            "export the model again",
            Exit.ARTIFACT_UNREADABLE,
        )
    _check_data(path, manifest)
    if ends != (_ends(manifest.inputs), _ends(manifest.outputs)):
        raise UserError(
            f"{path}: has other inputs or outputs than its manifest says ({ends}), so the manifest is of "
            "another graph; export the model again",
            Exit.ARTIFACT_UNREADABLE,
        )
    step("reference")
    job = replace(_job_of(manifest, path, weights), calibration=_calibration_of(manifest, calibration))
    module = reference_of(job)
    reference = reference_values(job)
    step("compare")
    report = verify_graph(
        path,
        reference,
        precision=manifest.precision,
        class_axis=class_axis(manifest.outputs[0]),
        ends=(manifest.inputs[0], manifest.outputs[0]),
        interpreter=interpreter,
        options=SCHEMES[manifest.precision].runtime,
    )
    return Outcome(path, report, wrong_with(job, path, module, reference, report, manifest))


def _check_data(path: Path, manifest: Manifest) -> None:
    data = manifest.graph.data
    if data is not None and sha256_of(data_path(path)) != data["sha256"]:
        raise UserError(
            f"{data_path(path)}: is not what was exported with {path.name}; copy both files, or export again",
            Exit.ARTIFACT_UNREADABLE,
        )


def _ends(tensors: tuple[TensorSpec | TensorInfo, ...]) -> list[tuple[str, tuple[int, ...], str]]:
    return [(tensor.name, tensor.shape, tensor.dtype) for tensor in tensors]


def _job_of(manifest: Manifest, path: Path, weights: str | None) -> ExportJob:
    if manifest.task == CUSTOM:
        raise UserError(
            f"{path}: was made of a PyTorch module that this program does not know: verify it by calling "
            "export_module again",
            Exit.USAGE,
        )
    spec = recorded_model(manifest.model, manifest.own, manifest_path(path))
    chosen: dict[str, Any] = dict(manifest.options)
    try:
        height, width = chosen.pop("resolution")
        options = ExportOptions(
            format=manifest.format,
            resolution=(height, width),
            precision=manifest.precision,
            preprocess=manifest.preprocessing.in_graph,
            **chosen,
        ).settled(spec)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{manifest_path(path)}: its options are not those of this version ({error}); export the model "
            "again",
            Exit.ARTIFACT_UNREADABLE,
        ) from error
    return ExportJob(spec, options, _weights_of(manifest, spec, weights), path.parent)


def _calibration_of(manifest: Manifest, given: Path | None) -> Calibration | None:
    made_from: dict[str, Any] = manifest.quantization.get("calibration", {})
    is_own = made_from.get("source", SHIPPED) != SHIPPED
    if given is None and not is_own:
        return None
    if given is None:
        raise UserError(
            f"{manifest.name} took its ranges of the images '{made_from['source']}' and is verified on some "
            "of them: name them with --calibration PATH",
            Exit.USAGE,
        )
    if not is_own:
        raise UserError(f"{manifest.name} was not made from images of yours: drop --calibration", Exit.USAGE)
    calibration = read_calibration(given)
    if calibration.sha256 != made_from["sha256"]:
        raise UserError(
            f"{manifest.name} was made from images of sha256 {made_from['sha256'][:12]}..., got "
            f"{calibration.sha256[:12]}...: name the right ones with --calibration PATH",
            Exit.IMAGE,
        )
    return calibration


def _weights_of(manifest: Manifest, spec: ModelSpec, given: str | None) -> LoadedWeights:
    made_from = manifest.weights
    if given is None and made_from.source == "file":
        raise UserError(
            f"{manifest.name} was made from the checkpoint '{made_from.origin}': name it with --weights PATH",
            Exit.USAGE,
        )
    resolution = manifest.options["resolution"]
    loaded = resolve_weights(
        spec,
        made_from.source if given is None else Path(given),
        seed=made_from.seed or 0,
        resolution=(resolution[0], resolution[1]),
        num_classes=manifest.num_classes,
    )
    if made_from.sha256 is None and loaded.provenance.sha256 is not None:
        raise UserError(
            f"{manifest.name} was made from random weights (seed {made_from.seed}): drop --weights",
            Exit.USAGE,
        )
    if loaded.provenance.sha256 != made_from.sha256:
        raise UserError(
            f"{manifest.name} was made from weights of sha256 {str(made_from.sha256)[:12]}..., got "
            f"{str(loaded.provenance.sha256)[:12]}...: name the right checkpoint with --weights PATH",
            Exit.CHECKPOINT_MISMATCH,
        )
    return loaded

"""A model that a user describes in a file, exported, and known again from its manifest alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.artifact import manifest_path, read_manifest
from evit_deploy.cli.reference_subject import reference_subject
from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.models.own_models import model_named
from evit_deploy.models.weights import resolve_weights

CONFIG = """
base = "b"
widths = [8, 8, 8, 16, 16]
depths = [0, 1, 1, 1, 1]
dim = 8
classes = 4
resolution = [32, 64]

[segmentation]
width = 8
depth = 1
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ExportJob:
    folder = tmp_path_factory.mktemp("own")
    (folder / "road.toml").write_text(CONFIG)
    spec = model_named(str(folder / "road.toml"))
    options = ExportOptions("onnx", spec.resolution).settled(spec)
    return ExportJob(spec, options, resolve_weights(spec, "random"), folder)


@pytest.fixture(scope="module")
def artifact(job: ExportJob) -> Path:
    path = export(job).path
    (job.output / "road.toml").unlink()
    return path


def verified(path: Path) -> str | None:
    return verify_artifact(path, weights=None, interpreter="auto", step=lambda _: None).wrong


def test_name_and_manifest_say_that_it_is_an_own_one(job: ExportJob, artifact: Path) -> None:
    assert artifact.name == "efficientvit_own_road-r32x64-fp32-random.onnx"
    manifest = read_manifest(artifact)
    assert manifest is not None and manifest.own == job.spec.config
    assert (manifest.model, manifest.dataset, manifest.num_classes) == ("efficientvit-own-road", "own", 4)
    assert manifest.graph.parameters == job.spec.parameters and manifest.graph.macs == job.spec.macs
    assert manifest.own["widths"] == [8, 8, 8, 16, 16] and manifest.own["norm_eps"] == 1e-5


def test_the_manifest_is_enough_to_verify_it_again(artifact: Path) -> None:
    assert verified(artifact) is None


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [("widths", [8, 8, 8, 16, 20], "20 channels (the 5th)"), ("dimm", 3, "did you mean 'dim'?")],
)
def test_a_damaged_description_is_refused(
    artifact: Path, tmp_path: Path, key: str, value: object, text: str
) -> None:
    (tmp_path / artifact.name).write_bytes(artifact.read_bytes())
    manifest = json.loads(manifest_path(artifact).read_text())
    manifest["own"][key] = value
    manifest_path(tmp_path / artifact.name).write_text(json.dumps(manifest))
    with pytest.raises(UserError) as caught:
        verified(tmp_path / artifact.name)
    assert caught.value.code == Exit.CONFIG and text in str(caught.value)


def test_as_a_reference_of_evit_eval(tmp_path: Path) -> None:
    (tmp_path / "road.toml").write_text(CONFIG)
    subject, warning = reference_subject(str(tmp_path / "road.toml"), "random", None, 1)
    assert (subject.num_classes, subject.size, subject.task, warning) == (4, (32, 64), "segmentation", None)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16-weights"])
def test_tflite_is_one_partition(job: ExportJob, tmp_path: Path, precision: str) -> None:
    options = ExportOptions("tflite", job.spec.resolution, precision=precision).settled(job.spec)
    exported = export(replace(job, options=options, output=tmp_path))
    assert exported.manifest.graph.delegate_partitions == 1
    assert verified(exported.path) is None

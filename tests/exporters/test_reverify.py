"""Artifacts that cannot be verified again, and why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from evit_deploy.artifact import manifest_path
from evit_deploy.errors import EvitError, Exit
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.reverify import Outcome, verify_artifact
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model

Exports = Callable[..., tuple[ExportJob, Exported]]


@pytest.fixture(params=["onnx", "tflite"])
def artifact(request: pytest.FixtureRequest, exported: Exports, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    _, made = exported("b0", request.param)
    shutil.copy(manifest_path(made.path), tmp_path)
    return Path(shutil.copy(made.path, tmp_path))


def verify(path: Path, weights: str | None = None) -> Outcome:
    return verify_artifact(path, weights=weights, interpreter="auto", step=lambda _: None)


def refusal(path: Path, weights: str | None = None) -> tuple[Exit, str]:
    with pytest.raises(EvitError) as caught:
        verify(path, weights)
    assert "\n" not in str(caught.value)
    return caught.value.code, str(caught.value)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads(manifest_path(path).read_text())
    change(manifest)
    manifest_path(path).write_text(json.dumps(manifest))


def test_what_is_whole_passes(artifact: Path) -> None:
    outcome = verify(artifact)
    assert (outcome.wrong, outcome.report.passed) == (None, True)


def test_missing(artifact: Path) -> None:
    assert refusal(artifact.with_name("none.onnx"))[0] == Exit.ARTIFACT_MISSING
    assert refusal(artifact.parent)[0] == Exit.ARTIFACT_MISSING


@pytest.mark.parametrize("keep", [0, 5, 1000, 0.5, 0.999])
def test_truncated(keep: float, artifact: Path) -> None:
    content = artifact.read_bytes()
    artifact.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    code, message = refusal(artifact)
    assert code == Exit.ARTIFACT_UNREADABLE
    assert artifact.name in message


def test_no_manifest(artifact: Path) -> None:
    manifest_path(artifact).unlink()
    code, message = refusal(artifact)
    assert (code, "has no manifest beside it" in message) == (Exit.ARTIFACT_UNREADABLE, True)


SPOILT: dict[str, Callable[[dict[str, Any]], object]] = {
    "another schema": lambda m: m.update(schema=99),
    "an option of another version": lambda m: m["options"].update(sparsity=0.5),
    "no resolution": lambda m: m["options"].pop("resolution"),
    "another graph's shape": lambda m: m["inputs"][0].update(shape=[1, 3, 224, 224]),
    "another graph's output": lambda m: m["outputs"][0].update(name="classes"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_manifests_that_do_not_fit(kind: str, artifact: Path) -> None:
    edit(artifact, SPOILT[kind])
    code, message = refusal(artifact)
    assert (code, "export the model again" in message) == (Exit.ARTIFACT_UNREADABLE, True)


def test_a_manifest_of_an_unknown_model(artifact: Path) -> None:
    edit(artifact, lambda m: m.update(model="efficientvit-b9"))
    assert refusal(artifact)[0] == Exit.UNKNOWN_MODEL


def test_other_random_weights_differ(artifact: Path) -> None:
    edit(artifact, lambda m: m["weights"].update(seed=1))
    outcome = verify(artifact)
    assert "the first module that differs is 'backbone.input_stem.op_list.0' " in str(outcome.wrong)


def checkpoint(folder: Path, seed: int) -> str:
    path = folder / f"seed{seed}.pt"
    torch.save(seeded_state_dict(find_model("b0"), seed=seed), path)
    return str(path)


def test_checkpoints(artifact: Path, tmp_path: Path) -> None:
    from evit_deploy.artifact import sha256_of

    right, wrong = checkpoint(tmp_path, 0), checkpoint(tmp_path, 1)
    code, message = refusal(artifact, right)
    assert (code, "made from random weights (seed 0): drop --weights" in message) == (Exit.USAGE, True)
    made_from = {"source": "file", "origin": "seed0.pt", "sha256": sha256_of(Path(right)), "seed": None}
    edit(artifact, lambda m: m.update(weights=made_from))
    assert verify(artifact, right).wrong is None
    code, message = refusal(artifact)
    assert (code, "'seed0.pt': name it with --weights PATH" in message) == (Exit.USAGE, True)
    code, message = refusal(artifact, wrong)
    assert (code, "of sha256" in message) == (Exit.CHECKPOINT_MISMATCH, True)

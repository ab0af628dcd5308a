"""The comparison with softmax attention is verified against itself, and says what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.errors import ParityError
from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.plain import PLAIN_FORMATS, PLAIN_PIPELINE
from evit_deploy.exporters.reference import reference_values
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.parity import compare_outputs


@pytest.mark.parametrize(("format", "operator"), [("onnx", "Softmax"), ("tflite", "SOFTMAX")])
def test_softmax_attention(format: str, operator: str, job_for: Callable[..., ExportJob]) -> None:
    job = job_for("b0", format, (64, 64), attention="softmax")
    job = replace(job, pipeline=PLAIN_PIPELINE, formats=PLAIN_FORMATS, label="plain")
    assert job.name == "efficientvit_b0-r64-fp32-softmax-random-plain"
    made = export(job)
    assert made.manifest.rewrites == ("softmax-attention",)
    assert made.manifest.options["attention"] == "softmax"
    assert made.manifest.graph.op_histogram[operator] == 4  # a block each
    assert made.manifest.parity["samples"].keys() >= {"noise", "zeros", "negative"}
    assert "large" not in made.manifest.parity["samples"]
    outcome = verify_artifact(made.path, weights=None, interpreter="auto", step=lambda text: None)
    assert outcome.wrong is None


def test_is_another_network(job_for: Callable[..., ExportJob]) -> None:
    softmax, linear = (job_for("b0", "onnx", (64, 64), attention=a) for a in ("softmax", "linear"))
    (one, other) = (reference_values(job).outputs["noise"] for job in (softmax, linear))
    assert compare_outputs(other, one).sqnr_db < 60


def test_the_published_network_is_not_taken_for_it(job_for: Callable[..., ExportJob], tmp_path: Path) -> None:
    """What is verified against the softmax reference must compute softmax attention."""
    job = replace(job_for("b0", "onnx", (64, 64), attention="softmax"), output=tmp_path)
    linear = job_for("b0", "onnx", (64, 64))
    with pytest.raises(ParityError):
        export(job, reference_for=lambda _: reference_values(linear))

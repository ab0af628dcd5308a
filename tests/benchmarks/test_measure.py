from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.artifact import manifest_path, sha256_of
from evit_deploy.benchmarks.measure import QUICK, describe, measure
from evit_deploy.benchmarks.results import LATENCY
from evit_deploy.devices import LocalDevice
from evit_deploy.errors import Exit, UserError

PLAN = replace(QUICK, launches=2, runs=3, seconds=0.0, warmup_s=0.0)


def test_launches_alternate_and_samples_are_kept(tiny_onnx: Path, tiny_tflite: Path) -> None:
    steps: list[str] = []
    result = measure([tiny_onnx, tiny_tflite], [LocalDevice()], PLAN, steps.append)
    assert [step.partition(" ")[0] for step in steps] == [
        *("tiny.onnx", "tiny.tflite", "tiny.tflite", "tiny.onnx"),
        *("tiny.onnx", "tiny.tflite"),
    ]
    assert len(steps) == PLAN.steps([LocalDevice()], 2)
    measurements = result.of_kind(LATENCY)
    assert [m.subject.name for m in measurements] == ["tiny.onnx", "tiny.tflite"]
    for measurement in measurements:
        assert [len(launch["samples_ns"]) for launch in measurement.launches] == [3, 3]
        assert measurement.memory is not None
    assert len(result.tool["agent_sha256"]) == 64
    assert result.devices["local"]["cpu_models"]
    assert result.plan["launches"] == 2


def test_subject_is_identified_by_its_hash(tiny_onnx: Path) -> None:
    subject = describe(tiny_onnx)
    assert subject.sha256 == sha256_of(tiny_onnx)
    assert (subject.format, subject.manifest) == ("onnx", None)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file") as caught:
        describe(tmp_path / "x.onnx")
    assert caught.value.code == Exit.ARTIFACT_MISSING


def test_a_manifest_that_is_none(tiny_onnx: Path) -> None:
    manifest_path(tiny_onnx).write_text('{"schema": 0}')
    with pytest.raises(UserError, match="not a manifest") as caught:
        describe(tiny_onnx)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE

"""`evit-export verify`: whole, damaged and wrong artifacts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from evit_deploy.errors import Exit
from evit_deploy.exporters.tflite_metadata import read_model, write_model

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FirstRun = tuple[Path, "subprocess.CompletedProcess[str]"]
NAME = "efficientvit_b0-r64-fp32-random"
STEM = "backbone.input_stem.op_list.0"


@pytest.fixture
def artifacts(first_run: FirstRun, tmp_path: Path) -> dict[str, Path]:
    """Copies of both formats, free to be spoilt."""
    shutil.copytree(first_run[0] / "artifacts", tmp_path, dirs_exist_ok=True)
    return {suffix: tmp_path / f"{NAME}.{suffix}" for suffix in ("onnx", "tflite")}


def assert_refused(done: subprocess.CompletedProcess[str], code: Exit, text: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert text in line


def spoil_onnx(path: Path) -> None:
    model = onnx.load(str(path))
    (weight,) = (i for i in model.graph.initializer if i.name == f"model.{STEM}.conv.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0] *= np.float32(1.01)
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    path.write_bytes(model.SerializeToString())


def spoil_tflite(path: Path) -> None:
    """The stem's kernel is the only one with 8 outputs of 3x3x3."""
    model = read_model(path.read_bytes())
    (index,) = (t.buffer for t in model.subgraphs[0].tensors if list(t.shape) == [8, 3, 3, 3])
    values = np.asarray(model.buffers[index].data, np.uint8).view(np.float32).copy()
    values[:27] *= np.float32(1.01)
    model.buffers[index].data = values.view(np.uint8)
    path.write_bytes(write_model(model))


SPOIL = {"onnx": spoil_onnx, "tflite": spoil_tflite}


def test_whole_artifacts(run_export: Run, artifacts: dict[str, Path]) -> None:
    done = run_export("verify", *artifacts.values())
    assert done.returncode == Exit.OK, done.stderr
    assert done.stdout.count(" ok ") == 12
    assert "FAILED" not in done.stdout


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_wrong_weight_is_named(suffix: str, run_export: Run, artifacts: dict[str, Path]) -> None:
    SPOIL[suffix](artifacts[suffix])
    done = run_export("verify", "-q", artifacts[suffix].name)
    assert_refused(done, Exit.PARITY, f"the first module that differs is '{STEM}' (ConvLayer)")
    assert f"{artifacts[suffix].name}: SQNR is " in done.stderr
    assert "FAILED" in done.stdout


def test_json_has_every_report_even_where_one_fails(run_export: Run, artifacts: dict[str, Path]) -> None:
    SPOIL["onnx"](artifacts["onnx"])
    done = run_export("verify", "--json", "-q", f"{NAME}.onnx", f"{NAME}.tflite")
    assert done.returncode == Exit.PARITY
    reports = json.loads(done.stdout)
    assert {name: report["passed"] for name, report in reports.items()} == {
        f"{NAME}.onnx": False,
        f"{NAME}.tflite": True,
    }


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_truncated(suffix: str, run_export: Run, artifacts: dict[str, Path]) -> None:
    content = artifacts[suffix].read_bytes()
    artifacts[suffix].write_bytes(content[: len(content) // 2])
    done = run_export("verify", "-q", artifacts[suffix].name)
    assert_refused(done, Exit.ARTIFACT_UNREADABLE, f"{NAME}.{suffix}: ")
    assert done.stdout == ""


def test_no_manifest_and_one_of_another_schema(run_export: Run, artifacts: dict[str, Path]) -> None:
    manifest = Path(f"{artifacts['onnx']}.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema": 2}))
    before = sorted(os.listdir(manifest.parent))
    done = run_export("verify", "-q", f"{NAME}.onnx")
    assert_refused(done, Exit.ARTIFACT_UNREADABLE, f"{NAME}.onnx.json: not a manifest of schema 1 (schema 2)")
    assert sorted(os.listdir(manifest.parent)) == before
    manifest.unlink()
    done = run_export("verify", "-q", f"{NAME}.onnx")
    assert_refused(done, Exit.ARTIFACT_UNREADABLE, "has no manifest beside it")


def test_an_unknown_interpreter(run_export: Run, artifacts: dict[str, Path]) -> None:
    done = run_export("verify", "-q", f"{NAME}.tflite", "--interpreter", "tflte")
    assert_refused(done, Exit.USAGE, "known: auto, litert, tflite_runtime, tensorflow")


@pytest.mark.tensorflow
def test_a_second_opinion(run_export: Run, artifacts: dict[str, Path]) -> None:
    pytest.importorskip("tensorflow")
    done = run_export("verify", "--json", "-q", f"{NAME}.tflite", "--interpreter", "tensorflow")
    assert done.returncode == Exit.OK, done.stderr
    assert json.loads(done.stdout)[f"{NAME}.tflite"]["runtime"].startswith("tensorflow ")

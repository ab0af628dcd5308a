"""`evit-export plain` and `--keep-samples`, as a person runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evit_deploy.artifact import read_manifest
from evit_deploy.errors import Exit
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import open_runner

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = ("b0", "-r", "64", "-w", "random", "-o", "out")


def test_dynamo_is_refused_and_kept_where_asked(run_export: Run, tmp_path: Path) -> None:
    done = run_export("plain", *SMALL, "--exporter", "dynamo", "--keep-failed", "--keep-samples")
    assert done.returncode == Exit.PARITY, done.stderr
    assert "NaN or infinity" in done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    failed = "efficientvit_b0-r64-fp32-random-plain-dynamo.failed.onnx"
    assert names == {failed, f"{failed}.json"}


def test_dynamo_writes_no_tflite(run_export: Run) -> None:
    done = run_export("plain", *SMALL, "--exporter", "dynamo", "-f", "tflite")
    assert done.returncode == Exit.USAGE
    assert "it does not write tflite" in done.stderr


def test_samples_are_what_the_graph_was_verified_on(run_export: Run, tmp_path: Path) -> None:
    done = run_export("plain", *SMALL, "-f", "onnx", "--keep-samples")
    assert done.returncode == 0, done.stderr
    graph = tmp_path / "out/efficientvit_b0-r64-fp32-random-plain.onnx"
    with np.load(f"{graph}.samples.npz") as samples, open_runner(graph) as runner:
        assert {"noise", "zeros", "large", "negative"} <= set(samples["names"])
        for number, required in enumerate(samples["required_db"]):
            (output,) = runner.run({"image": samples[f"image-{number}"]}).values()
            assert 80 < required <= 100
            assert compare_outputs(samples[f"output-{number}"], output).sqnr_db >= required


def test_class_maps_have_no_samples(run_export: Run) -> None:
    done = run_export("seg-b0-cityscapes", "-r", "64", "-w", "random", "--head", "argmax", "--keep-samples")
    assert done.returncode == Exit.USAGE
    assert "class maps have no SQNR" in done.stderr


def test_all_of_it_in_int8(run_export: Run, tmp_path: Path) -> None:
    """At this size ONNX Runtime's attention has few tokens, and passes; TFLite does not even run."""
    np.savez(tmp_path / "noise.npz", x=np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8))
    int8 = ("-f", "onnx", "--precision", "int8", "--calibration", "noise.npz")
    done = run_export("plain", *SMALL, *int8)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "out/efficientvit_b0-r64-int8-full-random-plain.onnx")
    assert manifest is not None
    assert manifest.precision == "int8-full"
    assert manifest.quantization["operators"] == "all that the quantizer takes"
    assert manifest.quantization["calibration"]["source"] == "noise.npz"

"""`evit-export`: what it writes, prints and leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from evit_deploy.errors import Exit
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import MODELS, find_model

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FirstRun = tuple[Path, "subprocess.CompletedProcess[str]"]
NAME = "efficientvit_b0-r64-fp32-random"
FILES = {f"{NAME}.{suffix}{part}" for suffix in ("onnx", "tflite") for part in ("", ".json", ".check.npz")}


def test_both_formats_into_the_default_folder(first_run: FirstRun) -> None:
    folder, done = first_run
    assert done.returncode == Exit.OK, done.stderr
    assert os.listdir(folder) == ["artifacts"]
    assert set(os.listdir(folder / "artifacts")) == FILES


def test_the_table_is_on_stdout_and_progress_on_stderr(first_run: FirstRun) -> None:
    _, done = first_run
    chosen = "formulated for cortex-a76; for x86-64 export with --target x86-64"
    for text in (f"artifacts/{NAME}.onnx", f"artifacts/{NAME}.tflite", " in 1 part", "dB"):
        assert text in done.stdout
    assert chosen in " ".join(done.stdout.split())
    title, *steps = done.stderr.splitlines()
    assert title == "2 artifacts"
    assert all(step.startswith(f"  {NAME}.") for step in steps)
    for suffix in ("onnx", "tflite"):
        begin = f"  {NAME}.{suffix}: "
        own = [step.removeprefix(begin) for step in steps if step.startswith(begin)]
        assert own[-3:] == ["rewrite and convert", "verify", "written"]


def test_json_is_all_that_is_printed_and_every_process_writes_the_same_bytes(
    first_run: FirstRun, run_export: Run, tmp_path: Path
) -> None:
    twice = ("b0", "efficientvit-b0")  # are one model
    alone = ("--jobs", "1", "--json", "-q", "-o", "x/y")
    done = run_export(*twice, "-r", "64x64", "-w", "random", *alone, PYTHONHASHSEED="7")
    assert (done.returncode, done.stderr) == (Exit.OK, "")
    manifests = json.loads(done.stdout)
    assert [manifest["path"] for manifest in manifests] == [f"x/y/{NAME}.onnx", f"x/y/{NAME}.tflite"]
    for manifest in manifests:
        path = tmp_path / manifest.pop("path")
        assert manifest == json.loads(path.with_name(path.name + ".json").read_text())
    first, second = first_run[0] / "artifacts", tmp_path / "x" / "y"
    assert set(os.listdir(second)) == FILES
    differing = [
        name for name in sorted(FILES) if (first / name).read_bytes() != (second / name).read_bytes()
    ]
    assert differing == []


def test_several_precisions_at_once(run_export: Run, tmp_path: Path) -> None:
    precisions = ("-p", "fp16-weights", "-p", "fp32", "-p", "fp32")
    done = run_export("b0", "-r", 64, "-w", "random", "-f", "onnx", *precisions, "-q", "-o", "x")
    assert done.returncode == Exit.OK, done.stderr
    graphs = {path.name for path in (tmp_path / "x").glob("*.onnx")}
    assert graphs == {f"{NAME}.onnx", f"{NAME}.onnx".replace("fp32", "fp16-weights")}


def test_without_pretrained_weights_random_ones_are_used_and_said_to_be(
    run_export: Run, tmp_path: Path
) -> None:
    done = run_export("b0", "-r", "64", "-f", "onnx", "-q")
    assert done.returncode == Exit.OK
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "warning: efficientvit-b0 has random weights (seed 0), so its outputs mean nothing"
    )
    assert (tmp_path / "artifacts" / f"{NAME}.onnx").exists()


def test_a_checkpoint_with_its_own_classes_and_its_verification(run_export: Run, tmp_path: Path) -> None:
    for seed in (1, 2):
        state = seeded_state_dict(find_model("b0"), seed=seed, num_classes=3)
        torch.save({"state_dict": state}, tmp_path / f"{seed}.pt")
    done = run_export("B0", "-r", "64", "-f", "onnx", "-w", "1.pt", "--json", "-o", ".")
    assert done.returncode == Exit.OK, done.stderr
    (manifest,) = json.loads(done.stdout)
    assert manifest["path"] == "efficientvit_b0-r64-fp32.onnx"
    assert (manifest["num_classes"], manifest["outputs"][0]["shape"]) == (3, [1, 3])
    assert (manifest["weights"]["source"], manifest["weights"]["origin"]) == ("file", "1.pt")

    assert run_export("verify", manifest["path"], "-w", "1.pt").returncode == Exit.OK
    refused = run_export("verify", manifest["path"])
    assert (refused.returncode, "name it with --weights PATH" in refused.stderr) == (Exit.USAGE, True)
    refused = run_export("verify", manifest["path"], "-w", "2.pt", "-q")
    assert refused.returncode == Exit.CHECKPOINT_MISMATCH
    assert refused.stderr.startswith("error: efficientvit_b0-r64-fp32 was made from weights of sha256 ")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("formats", "signum", "delay_s"),
    [
        ("-f onnx", signal.SIGINT, 0.5),
        ("-f tflite", signal.SIGINT, 2.0),
        ("-f tflite", signal.SIGTERM, 0.0),
        ("--jobs 2", signal.SIGINT, 0.5),
        ("--jobs 2", signal.SIGTERM, 0.0),
    ],
)
def test_an_interrupt_leaves_nothing(
    formats: str,
    signum: int,
    delay_s: float,
    start_export: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    process = start_export("b0", "-r", "64", "-w", "random", *formats.split(), "-o", "new/folder")
    try:
        assert process.stderr is not None
        while "convert" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(delay_s)
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    # CPython ends itself with the signal where that struck in code compiled from a string; shells show 130.
    assert process.returncode in (Exit.INTERRUPTED, -signal.SIGINT)
    assert stderr.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in stderr
    assert os.listdir(tmp_path) == []


def test_list(run_export: Run) -> None:
    done = run_export("list", "--json")
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == [spec.name for spec in MODELS]
    table = run_export("list").stdout
    assert all(spec.name in table for spec in MODELS)

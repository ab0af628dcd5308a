"""Bad input to `evit-export`: one line, its own exit code, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from evit_deploy.errors import Exit
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SEG = "seg-b0-cityscapes"


class Hostile:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trace",)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.save(seeded_state_dict(find_model("b0"), seed=1, num_classes=7), folder / "seven.pt")
    torch.save(seeded_state_dict(find_model(SEG), seed=1), folder / "segmentation.pt")
    torch.save({"state_dict": Hostile()}, folder / "hostile.pt")
    content = (folder / "seven.pt").read_bytes()
    (folder / "truncated.pt").write_bytes(content[: len(content) // 2])
    (folder / "empty.pt").touch()
    (folder / "nothing").mkdir()
    np.savez(folder / "one.npz", image=np.zeros((64, 64, 3), np.uint8))
    return folder


def assert_refused(done: subprocess.CompletedProcess[str], code: Exit, text: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if not line.startswith("  ") and line.startswith("error: ")] == lines[-1:]
    assert len(lines) == 1, done.stderr
    assert text in lines[0]
    assert done.stdout == ""


REFUSED: dict[str, tuple[list[str], Exit, str]] = {
    "unknown model": (["b9"], Exit.UNKNOWN_MODEL, "unknown model 'b9'"),
    "nearly a model": (
        ["seg-b0-cityscape"],
        Exit.UNKNOWN_MODEL,
        "did you mean 'efficientvit-seg-b0-cityscapes'?",
    ),
    "second model unknown": (
        ["b0", "b1x"],
        Exit.UNKNOWN_MODEL,
        "known: b0, b1, b2, b3, l1, l2, l3, seg-b0-cityscapes",
    ),
    "unknown target": (
        ["b0", "--target", "cortex-b1"],
        Exit.USAGE,
        "no costs of that core are known, only those of cortex-a76, x86-64; measure them with --tune",
    ),
    "a device without --tune": (["b0", "--device", "local"], Exit.USAGE, "--device is where --tune measures"),
    "--tune for nobody": (
        ["b0", "-w", "random", "--tune", "--target", "my-board"],
        Exit.USAGE,
        "Name it with --device",
    ),
    "resolution -1": (["b0", "-r", "-1"], Exit.RESOLUTION, "resolution '-1': expected a positive size"),
    "resolution 0": (["b0", "-r", "0"], Exit.RESOLUTION, "expected a positive size"),
    "resolution abc": (["b0", "-r", "abc"], Exit.RESOLUTION, "expected a positive size"),
    "resolution 1x2x3": (["b0", "-r", "1x2x3"], Exit.RESOLUTION, "expected a positive size"),
    "resolution 224x": (["b0", "-r", "224x"], Exit.RESOLUTION, "expected a positive size"),
    "resolution 16": (["b0", "-r", "16"], Exit.RESOLUTION, "the next that does is 32x32"),
    "segmentation 100x100": ([SEG, "-r", "100x100"], Exit.RESOLUTION, "the next that does is 128x128"),
    "format": (["b0", "-f", "tflit"], Exit.USAGE, "'tflit' is not one of 'onnx', 'tflite'"),
    "option": (["b0", "--formt", "onnx"], Exit.USAGE, "No such option"),
    "precision": (["b0", "-p", "int4"], Exit.USAGE, "'int4' is not"),
    "fp16 for ONNX": (
        ["b0", "-p", "fp16", "-f", "onnx"],
        Exit.USAGE,
        "--precision fp16 is for --format tflite; got onnx",
    ),
    "int8 on a target": (
        ["b0", "-p", "int8", "--target", "x86-64"],
        Exit.USAGE,
        "int8 has one formulation for all cores; drop --target",
    ),
    "int8, tuned": (
        ["b0", "-p", "int8", "-f", "tflite", "-w", "random", "-q", "--tuned"],
        Exit.USAGE,
        "--tune and --tuned are for graphs with several formulations: int8 in tflite has one",
    ),
    "calibration of float32": (
        ["b0", "--calibration", "nothing"],
        Exit.USAGE,
        "--calibration is for --precision fp16 and int8: fp32 takes no ranges",
    ),
    "calibration of two without ranges": (
        ["b0", "-p", "fp32", "-p", "int8-weights", "--calibration", "nothing"],
        Exit.USAGE,
        "for --precision fp16 and int8: fp32 and int8-weights take no ranges",
    ),
    "calibration on nothing": (
        ["b0", "-p", "int8", "--calibration", "nothing"],
        Exit.IMAGE,
        "got no image, expected a folder of JPEG or PNG files",
    ),
    "calibration on no images": (
        ["b0", "-p", "int8", "--calibration", "."],
        Exit.IMAGE,
        "files cannot be used: empty.pt: not read as an image",
    ),
    "calibration method of float32": (
        ["b0", "--calibration-method", "entropy"],
        Exit.USAGE,
        "--calibration-method entropy is for --precision int8: fp32 takes no ranges of activations",
    ),
    "calibration method": (["b0", "-p", "int8", "--calibration-method", "mse"], Exit.USAGE, "'mse' is not"),
    "a percentile of nothing": (
        ["b0", "-p", "int8", "--percentile", "99"],
        Exit.USAGE,
        "--percentile 99 is of --calibration-method percentile; name that, too",
    ),
    "a percentile of 5": (
        ["b0", "-p", "int8", "--calibration-method", "percentile", "--percentile", "5"],
        Exit.USAGE,
        "expected a share above 50 and up to 100, such as 99.99",
    ),
    "a percentile that is no number": (
        ["sensitivity", "b0", "--calibration-method", "percentile", "--percentile", "nan"],
        Exit.USAGE,
        "expected a share above 50",
    ),
    "codes of float32": (
        ["b0", "--io", "int8"],
        Exit.USAGE,
        "--io int8 is for --precision int8: fp32 has no scales for its ends",
    ),
    "min-sqnr of float32": (
        ["b0", "--min-sqnr", "40"],
        Exit.USAGE,
        "--min-sqnr is for --precision int8 --format tflite; got --precision fp32",
    ),
    "min-sqnr of ONNX": (
        ["b0", "-p", "int8", "-f", "onnx", "--min-sqnr", "40"],
        Exit.USAGE,
        "got --precision int8 --format onnx",
    ),
    "min-sqnr of a class map": (
        [SEG, "-p", "int8", "--head", "argmax", "--min-sqnr", "40"],
        Exit.USAGE,
        "class maps have no SQNR",
    ),
    "min-sqnr 0": (["b0", "-p", "int8", "--min-sqnr", "0"], Exit.USAGE, "expected decibels above 0"),
    "min-sqnr nan": (["b0", "-p", "int8", "--min-sqnr", "nan"], Exit.USAGE, "expected decibels above 0"),
    "min-sqnr much": (["b0", "-p", "int8", "--min-sqnr", "much"], Exit.USAGE, "--min-sqnr"),
    "sensitivity of nothing": (["sensitivity"], Exit.USAGE, "Missing argument 'MODEL'"),
    "sensitivity of no model": (["sensitivity", "b9"], Exit.UNKNOWN_MODEL, "unknown model 'b9'"),
    "sensitivity at -1": (["sensitivity", "b0", "-r", "-1"], Exit.RESOLUTION, "expected a positive size"),
    "sensitivity on no images": (
        ["sensitivity", "b0", "--calibration", "nothing"],
        Exit.IMAGE,
        "got no image, expected a folder of JPEG or PNG files",
    ),
    "sensitivity counted here": (
        ["sensitivity", "b0", "--device", "local"],
        Exit.DEVICE,
        "only emulated cores count instructions",
    ),
    "sensitivity into a file": (
        ["sensitivity", "b0", "-r", "64", "-w", "random", "-q", "--calibration", "one.npz", "-o", "seven.pt"],
        Exit.OUTPUT,
        "choose another with --output",
    ),
    "seed": (["b0", "--seed", "-1"], Exit.USAGE, "--seed"),
    "classes": (["b0", "--num-classes", "0"], Exit.USAGE, "--num-classes"),
    "loud and quiet": (["b0", "-q", "-v"], Exit.USAGE, "-q and -v exclude each other"),
    "argmax of a classifier": (["b0", "--head", "argmax"], Exit.USAGE, "--head argmax is for segmentation"),
    "bilinear classifier": (["b0", "--upsample", "bilinear"], Exit.USAGE, "--upsample bilinear is for"),
    "argmax-at alone": ([SEG, "--argmax-at", "logits"], Exit.USAGE, "needs --head argmax"),
    "dynamic TFLite": (["b0", "--dynamic-batch"], Exit.USAGE, "--format onnx only"),
    "pixels in NCHW": (["b0", "--preprocess", "--layout", "nchw"], Exit.USAGE, "drop --layout nchw"),
    "no checkpoint": (["b0", "-w", "none.pt"], Exit.CHECKPOINT_UNREADABLE, "none.pt"),
    "truncated checkpoint": (["b0", "-w", "truncated.pt"], Exit.CHECKPOINT_UNREADABLE, "truncated.pt"),
    "empty checkpoint": (["b0", "-w", "empty.pt"], Exit.CHECKPOINT_UNREADABLE, "empty.pt"),
    "hostile checkpoint": (["b0", "-w", "hostile.pt"], Exit.CHECKPOINT_UNSAFE, "hostile.pt"),
    "another model's checkpoint": (["b0", "-w", "segmentation.pt"], Exit.CHECKPOINT_MISMATCH, SEG),
    "another class count": (
        ["b0", "-w", "seven.pt", "--num-classes", "5"],
        Exit.CHECKPOINT_MISMATCH,
        "has 7 classes, asked for were 5",
    ),
    "pretrained, offline": (["b0", "-w", "pretrained"], Exit.WEIGHTS_UNAVAILABLE, "--weights random"),
    "folder below a file": (
        ["b0", "-r", "64", "-w", "random", "-q", "-o", "seven.pt/out"],
        Exit.OUTPUT,
        "choose another with --output",
    ),
    "folder that is a file": (
        ["b0", "-r", "64", "-w", "random", "-q", "-o", "seven.pt"],
        Exit.OUTPUT,
        "--output",
    ),
    "folder in /proc": (
        ["b0", "-r", "64", "-w", "random", "-q", "-o", "/proc/out"],
        Exit.OUTPUT,
        "cannot write to the folder '/proc/out'",
    ),
    "verify nothing": (["verify"], Exit.USAGE, "Missing argument"),
    "verify what is not there": (["verify", "-q", "x.onnx"], Exit.ARTIFACT_MISSING, "'x.onnx' is not a file"),
    "verify a checkpoint": (["verify", "-q", "seven.pt"], Exit.ARTIFACT_UNREADABLE, "expected one of .onnx"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind: str, run_export: Run, checkpoints: Path, tmp_path: Path) -> None:
    arguments, code, text = REFUSED[kind]
    for path in checkpoints.iterdir():
        (tmp_path / path.name).symlink_to(path)
    before = sorted(os.listdir(tmp_path))
    assert_refused(run_export(*arguments), code, text)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxsim", "onnxscript"])
@pytest.mark.parametrize("command", [["b0"], ["verify", "x.onnx"], ["list"]])
def test_without_the_extra(package: str, command: list[str], tmp_path: Path) -> None:
    """A module that is None in `sys.modules` cannot be imported, as if it were not installed."""
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['evit-export', *{command!r}]\n"
        "from evit_deploy.cli.export import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert_refused(done, Exit.MISSING_EXTRA, f"export needs {package}: install them with")
    assert "evit-deploy[export]" in done.stderr
    assert os.listdir(tmp_path) == []

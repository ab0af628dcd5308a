"""`evit-export convert-weights` as a person runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cli.conftest import error_of
from safetensors.torch import load_file

from evit_deploy.cli.export import cli
from evit_deploy.errors import Exit, UserError
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "b0.pt"
    torch.save({"state_dict": seeded_state_dict(find_model("b0"), seed=1, num_classes=3)}, path)
    return path


def test_published_to_timm_and_back(run_export: Run, checkpoint: Path, tmp_path: Path) -> None:
    there = ("b0.pt", "--to", "timm", "-o", "timm.safetensors")
    back = ("timm.safetensors", "--model", "b0", "--to", "published", "-o", "back.pt")
    for words in (there, back):
        done = run_export("convert-weights", *words)
        assert (done.returncode, done.stdout) == (Exit.OK, ""), done.stderr
        assert "efficientvit-b0" in done.stderr
    assert "head.classifier.4.bias" in load_file(tmp_path / "timm.safetensors")
    files = (checkpoint, tmp_path / "back.pt")
    before, after = (torch.load(file, weights_only=True)["state_dict"] for file in files)
    assert list(before) == list(after) and all(torch.equal(before[key], after[key]) for key in before)


REFUSED = {
    "segmentation to timm": (
        ["seg.pt", "--to", "timm", "-o", "out.safetensors"],
        Exit.USAGE,
        "timm has no efficientvit-seg-b0-cityscapes",
    ),
    "another model": (
        ["b0.pt", "--model", "b1", "--to", "own", "-o", "out.safetensors"],
        Exit.CHECKPOINT_MISMATCH,
        "it fits efficientvit-b0: name that model",
    ),
    "an unknown model": (
        ["b0.pt", "-m", "b9", "--to", "own", "-o", "out.safetensors"],
        Exit.UNKNOWN_MODEL,
        "unknown model 'b9'",
    ),
    "no checkpoint": (
        ["none.pt", "--to", "timm", "-o", "out.pt"],
        Exit.CHECKPOINT_UNREADABLE,
        "there is no such file",
    ),
    "own as a pickle": (["b0.pt", "--to", "own", "-o", "out.pt"], Exit.USAGE, "end in .safetensors; got .pt"),
    "over itself": (["b0.pt", "--to", "timm", "-o", "b0.pt"], Exit.OUTPUT, "is the checkpoint itself"),
    "a folder in a file": (
        ["b0.pt", "--to", "timm", "-o", "b0.pt/out.pt"],
        Exit.OUTPUT,
        "choose another folder with --output",
    ),
}


@pytest.mark.parametrize(("arguments", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_refused(
    monkeypatch: pytest.MonkeyPatch,
    checkpoint: Path,
    tmp_path: Path,
    arguments: list[str],
    code: Exit,
    text: str,
) -> None:
    """In this process: importing torch takes longer than all that is tested."""
    torch.save(seeded_state_dict(find_model("seg-b0-cityscapes"), seed=1), tmp_path / "seg.pt")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        cli.main(["convert-weights", *arguments], standalone_mode=False)
    assert caught.value.code == code
    assert text in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_refused_as_a_person_sees_it(run_export: Run, tmp_path: Path) -> None:
    done = run_export("convert-weights", "none.pt", "--to", "timm", "-o", "out.pt")
    assert (done.returncode, done.stdout) == (Exit.CHECKPOINT_UNREADABLE, "")
    assert error_of(done) == "cannot read checkpoint 'none.pt': there is no such file"
    assert list(tmp_path.iterdir()) == []

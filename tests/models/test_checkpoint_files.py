"""Files that are no checkpoints, are damaged, or would run code."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.checkpoint_files import read_checkpoint
from evit_deploy.models.pickle_names import foreign_names


class Hostile:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def refusal(path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return caught.value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(
    tmp_path: Path, kind: str, protocol: int
) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    content = {"state_dict": {"weight": torch.ones(2)}, "extra": Hostile(trace)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps({"extra": Hostile(trace)}, protocol))
    else:
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=kind == "zip")
    error = refusal(path)
    assert error.code == Exit.CHECKPOINT_UNSAFE
    assert f"{os.mkdir.__module__}.mkdir" in str(error)
    assert not trace.exists()


def test_the_hostile_pickle_of_these_tests_does_run_code_when_trusted(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    torch.save({"extra": Hostile(trace)}, path)
    torch.load(path, weights_only=False)
    assert trace.is_dir()


def test_a_pickle_that_hides_its_names_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A string that is pushed and dropped again misleads the scan for names, but not PyTorch."""
    monkeypatch.chdir(tmp_path)
    code = b"\x80\x04\x8c\x02os\x8c\x05mkdir\x8c\x05decoy0\x93\x8c\x05trace\x85R."
    Path("model.pt").write_bytes(code)
    assert refusal(Path("model.pt")).code in (Exit.CHECKPOINT_UNSAFE, Exit.CHECKPOINT_UNREADABLE)
    assert not Path("trace").exists()
    pickle.loads(code)
    assert Path("trace").is_dir()


def test_a_whole_pickled_module_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    error = refusal(path)
    assert error.code == Exit.CHECKPOINT_UNSAFE
    assert "torch.nn.modules.linear.Linear" in str(error)
    assert "save only the model's state_dict()" in str(error)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated_file_is_unreadable(tmp_path: Path, kind: str, kept: float) -> None:
    path = tmp_path / ("model.safetensors" if kind == "safetensors" else "model.pt")
    tensors = {"weight": torch.ones(1000), "bias": torch.ones(3)}
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    assert refusal(path).code == Exit.CHECKPOINT_UNREADABLE


NOT_CHECKPOINTS = {
    "noise": bytes((73 * i * i + 11 * i) % 256 for i in range(2000)),
    "web page": b"<!DOCTYPE html><html><body>404</body></html>",
    "pointer file": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "program text": b"class Model:\n    pass\n",
    "pickle of numbers": pickle.dumps([1, 2, 3]),
    "zip magic only": b"PK\x03\x04",
}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
@pytest.mark.parametrize("content", NOT_CHECKPOINTS.values(), ids=NOT_CHECKPOINTS)
def test_other_content_is_unreadable(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    assert refusal(path).code == Exit.CHECKPOINT_UNREADABLE


def test_every_damaged_byte_gives_an_error_or_a_value(tmp_path: Path) -> None:
    """Nothing but UserError leaves, wherever a byte of the file's beginning is wrong."""
    path = tmp_path / "model.pt"
    for legacy in (False, True):
        torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=not legacy)
        whole = path.read_bytes()
        for position in range(0, min(len(whole), 1500), 3):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :])
            try:
                read_checkpoint(path)
            except UserError as error:
                assert error.code in (Exit.CHECKPOINT_UNREADABLE, Exit.CHECKPOINT_UNSAFE)


def test_zip_without_a_pickle_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    assert refusal(path).code == Exit.CHECKPOINT_UNREADABLE


def test_torchscript_says_what_to_pass_instead(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)).save(str(path))  # type: ignore[no-untyped-call]
    error = refusal(path)
    assert error.code == Exit.CHECKPOINT_UNREADABLE
    assert "TorchScript" in str(error)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent.pt", "there is no such file"),
        ("folder.pt", "it is a folder, expected a file"),
        ("model.onnx", "got the ending '.onnx', expected one of .pt, .pth, .safetensors"),
        ("model", "got no ending, expected one of .pt, .pth, .safetensors"),
    ],
)
def test_wrong_paths_say_what_is_wrong(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "model.onnx").touch()
    (tmp_path / "model").touch()
    error = refusal(tmp_path / name)
    assert error.code == Exit.CHECKPOINT_UNREADABLE
    assert problem in str(error)


def test_plain_checkpoints_refer_to_nothing_foreign(tmp_path: Path) -> None:
    for legacy in (False, True):
        path = tmp_path / "model.pt"
        torch.save({"a": torch.ones(2).half()}, path, _use_new_zipfile_serialization=not legacy)
        assert foreign_names(path) == ()

"""What each choice of weights gives, and what it says of where they came from."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Protocol

import pytest
import torch
from torch import Tensor

from evit_deploy.artifact import Weights
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.models import resolve_weights
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model

SEG = find_model("seg-b0-cityscapes")
HUB_NAME = "han-cai/efficientvit-seg/efficientvit_seg_b0_cityscapes.pt"


class HubServer(Protocol):
    """What tests use of the fixture `hub`; see conftest.py."""

    files: dict[str, bytes]

    def stop(self) -> None: ...


def assert_same(loaded: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(loaded) == list(expected)
    assert all(torch.equal(loaded[key], value) for key, value in expected.items())


def checkpoint(seed: int, num_classes: int | None = None) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": seeded_state_dict(SEG, seed=seed, num_classes=num_classes)}, buffer)
    return buffer.getvalue()


def test_random() -> None:
    loaded = resolve_weights(SEG, "random", seed=5)
    assert_same(loaded.state_dict, seeded_state_dict(SEG, seed=5))
    assert loaded.provenance == Weights(source="random", seed=5)
    assert (loaded.num_classes, loaded.warning) == (19, None)


def test_random_with_another_class_count() -> None:
    loaded = resolve_weights(SEG, "random", num_classes=4)
    assert loaded.num_classes == 4
    assert loaded.state_dict["head.output_ops.0.op_list.1.conv.weight"].shape[0] == 4


@pytest.mark.parametrize("given", [None, 4])
def test_file(tmp_path: Path, given: int | None) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(checkpoint(seed=1, num_classes=4))
    loaded = resolve_weights(SEG, str(path), num_classes=given)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert_same(loaded.state_dict, seeded_state_dict(SEG, seed=1, num_classes=4))
    assert loaded.provenance == Weights(source="file", origin="mine.pt", sha256=digest)
    assert (loaded.num_classes, loaded.warning) == (4, None)


def test_file_with_another_class_count_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(checkpoint(seed=1, num_classes=4))
    with pytest.raises(UserError, match="has 4 classes, asked for were 19") as caught:
        resolve_weights(SEG, path, num_classes=19)
    assert caught.value.code == Exit.CHECKPOINT_MISMATCH


def test_a_path_is_a_file_even_with_a_choices_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="cannot read checkpoint 'random': there is no such file"):
        resolve_weights(SEG, Path("random"))


@pytest.mark.parametrize("choice", ["auto", "pretrained"])
def test_pretrained_from_the_server_then_from_the_cache(hub: HubServer, choice: str) -> None:
    content = checkpoint(seed=2)
    hub.files[HUB_NAME] = content
    digest = hashlib.sha256(content).hexdigest()
    for _ in range(2):
        loaded = resolve_weights(SEG, choice, resolution=(256, 512))
        assert_same(loaded.state_dict, seeded_state_dict(SEG, seed=2))
        assert loaded.provenance == Weights(source="pretrained", origin=HUB_NAME, sha256=digest)
        assert (loaded.num_classes, loaded.warning) == (19, None)
        hub.stop()


def test_pretrained_that_cannot_be_had_says_what_to_do(hub: HubServer) -> None:
    hub.stop()
    with pytest.raises(SetupError) as caught:
        resolve_weights(SEG, "pretrained")
    assert caught.value.code == Exit.WEIGHTS_UNAVAILABLE
    assert str(caught.value).endswith("; pass --weights PATH or --weights random")


def test_auto_falls_back_to_random_and_says_so_once(
    hub: HubServer, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.stop()
    loaded = resolve_weights(SEG, "auto", seed=3)
    assert_same(loaded.state_dict, seeded_state_dict(SEG, seed=3))
    assert loaded.provenance == Weights(source="random", seed=3)
    assert loaded.warning is not None
    assert "\n" not in loaded.warning
    assert loaded.warning.startswith(f"{SEG.name} has random weights (seed 3), so its outputs mean nothing: ")
    assert capfd.readouterr() == ("", "")


def test_auto_does_not_fall_back_from_a_broken_download(hub: HubServer) -> None:
    hub.files[HUB_NAME] = checkpoint(seed=2)[:5000]
    with pytest.raises(UserError) as caught:
        resolve_weights(SEG, "auto")
    assert caught.value.code == Exit.CHECKPOINT_UNREADABLE


def test_another_class_count_than_the_pretrained_one(hub: HubServer) -> None:
    hub.files[HUB_NAME] = checkpoint(seed=2)
    loaded = resolve_weights(SEG, "auto", num_classes=4)
    assert (loaded.num_classes, loaded.provenance.source) == (4, "random")
    assert "the pretrained weights have 19 classes, asked for were 4" in str(loaded.warning)
    with pytest.raises(UserError, match="has 19 classes, asked for were 4"):
        resolve_weights(SEG, "pretrained", num_classes=4)

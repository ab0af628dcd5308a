"""A checkpoint from one layout to another: the same bits under other names."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.checkpoints import load_checkpoint
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.weight_layouts import (
    LAYOUTS,
    OWN,
    PUBLISHED,
    TIMM,
    check_output,
    model_of_checkpoint,
    weights_file,
)
from evit_deploy.models.zoo import ModelSpec, find_model

B0 = find_model("b0")
SEG = find_model("seg-b0-cityscapes")
L1 = find_model("l1")


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return list(left) == list(right) and all(torch.equal(left[key], right[key]) for key in left)


def written(
    tensors: dict[str, Tensor], spec: ModelSpec, layout: str, folder: Path, ending: str = ".safetensors"
) -> Path:
    source = folder / "source.safetensors"
    if not source.exists():
        save_file(tensors, source)
    path = folder / f"{layout}{ending}"
    path.write_bytes(weights_file(tensors, spec, layout, ending, source))
    return path


@pytest.mark.parametrize(("first", "second"), list(permutations(LAYOUTS, 2)))
def test_there_and_back_is_exact(tmp_path: Path, first: str, second: str) -> None:
    original = seeded_state_dict(B0, seed=3, num_classes=5)
    once = load_checkpoint(written(original, B0, first, tmp_path), B0)
    twice = load_checkpoint(written(once, B0, second, tmp_path), B0)
    assert same(original, once) and same(original, twice)
    path = written(twice, B0, first, tmp_path)
    assert path.read_bytes() == weights_file(
        original, B0, first, ".safetensors", tmp_path / "source.safetensors"
    )


def test_a_checkpoint_of_timm_keeps_its_names(tmp_path: Path) -> None:
    """timm's own file -> published -> timm's: the very names and values that it had."""
    weights = seeded_state_dict(B0, seed=1)
    first = load_file(written(weights, B0, TIMM, tmp_path))
    back = load_checkpoint(written(weights, B0, PUBLISHED, tmp_path, ".pt"), B0)
    again = load_file(written(back, B0, TIMM, tmp_path))
    assert first.keys() == again.keys() and "stem.in_conv.conv.weight" in first
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("ending", [".pt", ".pth"])
def test_published_is_wrapped_as_the_authors_files_are(tmp_path: Path, ending: str) -> None:
    weights = seeded_state_dict(SEG, seed=0)
    content = torch.load(written(weights, SEG, PUBLISHED, tmp_path, ending), weights_only=True)
    assert list(content) == ["state_dict"] and same(content["state_dict"], weights)


def test_timm_in_a_pt_is_flat(tmp_path: Path) -> None:
    weights = seeded_state_dict(B0, seed=0, num_classes=2)
    content = torch.load(written(weights, B0, TIMM, tmp_path, ".pt"), weights_only=True)
    assert content["head.classifier.4.weight"].shape == (2, 1280)


def test_own_says_which_model_it_is(tmp_path: Path) -> None:
    path = written(seeded_state_dict(SEG, seed=0, num_classes=7), SEG, OWN, tmp_path)
    assert model_of_checkpoint(path) == SEG
    with safe_open(path, framework="pt") as file:
        note = file.metadata()
    assert '"num_classes": 7' in note["evit_deploy"]


def test_of_other_files_the_tensors_say_it(tmp_path: Path) -> None:
    assert model_of_checkpoint(written(seeded_state_dict(B0, seed=0), B0, TIMM, tmp_path)) == B0


def test_a_checkpoint_of_nothing_we_know(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(
        UserError, match="fits none of the known models: name its model with --model"
    ) as caught:
        model_of_checkpoint(tmp_path / "other.safetensors")
    assert caught.value.code == Exit.CHECKPOINT_MISMATCH


def test_timm_has_no_segmentation(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="timm has no efficientvit-seg-b0-cityscapes"):
        written(seeded_state_dict(SEG, seed=0), SEG, TIMM, tmp_path)


def test_half_precision_becomes_the_same_values_in_float32(tmp_path: Path) -> None:
    weights = seeded_state_dict(SEG, seed=0)
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in weights.items()}, tmp_path / "h.pt")
    loaded = load_checkpoint(tmp_path / "h.pt", SEG)
    key = "head.middle.op_list.0.main.point_conv.conv.weight"
    stored = load_file(written(loaded, SEG, OWN, tmp_path))
    assert stored[key].dtype == torch.float32 and torch.equal(stored[key].half(), weights[key].half())


def test_large_models_keep_their_counters(tmp_path: Path) -> None:
    """A structure of another kind, and integers among the tensors."""
    weights = seeded_state_dict(L1, seed=0, num_classes=2)
    counter = "backbone.stages.4.op_list.6.context_module.main.proj.norm.num_batches_tracked"
    weights[counter] = torch.tensor(17)
    back = load_checkpoint(written(weights, L1, TIMM, tmp_path), L1)
    assert same(back, weights) and int(back[counter]) == 17


@pytest.mark.parametrize(("layout", "name"), [(OWN, "a.pt"), (TIMM, "a.bin"), (PUBLISHED, "a")])
def test_other_endings_are_refused(layout: str, name: str) -> None:
    with pytest.raises(UserError, match="files that end in") as caught:
        check_output(layout, Path(name))
    assert caught.value.code == Exit.USAGE

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evit_deploy.errors import Exit, UserError
from evit_deploy.models import create_model
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model

SEG = find_model("seg-b0-cityscapes")


def test_ready_to_run() -> None:
    model = create_model("seg-b0-cityscapes")
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}
    assert not any(tensor.is_meta for tensor in model.state_dict().values())


def test_random_weights_by_default_the_same_each_time() -> None:
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(create_model(SEG.name)(image), create_model(SEG.name, weights="random")(image))


def test_runs_in_float64_within_float32_noise() -> None:
    image = torch.randn(1, 3, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = create_model(SEG.name).double()(image)
    assert exact.dtype == torch.float64
    rounded = create_model(SEG.name)(image.float()).double()
    assert (exact - rounded).abs().max() < 1e-4 * exact.square().mean().sqrt()


@pytest.mark.parametrize("num_classes", [1, 3])
def test_class_count_from_the_state_dict(num_classes: int) -> None:
    weights = seeded_state_dict(SEG, seed=1, num_classes=num_classes)
    model = create_model(SEG.name, weights=weights)
    assert model(torch.randn(1, 3, 32, 32)).shape[1] == num_classes
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


def test_weights_are_copied() -> None:
    weights = seeded_state_dict(SEG, seed=1)
    key = next(iter(weights))
    model = create_model(SEG.name, weights=weights)
    weights[key].zero_()
    assert bool(model.state_dict()[key].any())


def test_weights_from_a_file(tmp_path: Path) -> None:
    torch.save(seeded_state_dict(SEG, seed=1, num_classes=3), tmp_path / "model.pt")
    for weights in (tmp_path / "model.pt", str(tmp_path / "model.pt")):
        assert create_model(SEG.name, weights=weights)(torch.randn(1, 3, 32, 32)).shape[1] == 3


def test_class_count_that_contradicts_the_weights() -> None:
    with pytest.raises(UserError, match="has 19 classes, asked for were 3") as caught:
        create_model(SEG.name, weights=seeded_state_dict(SEG, seed=1), num_classes=3)
    assert caught.value.code == Exit.CHECKPOINT_MISMATCH


def test_state_dict_of_another_model() -> None:
    with pytest.raises(UserError, match=r"the given state dict does not fit efficientvit-b0: .*; it fits"):
        create_model("b0", weights=seeded_state_dict(SEG, seed=1))


def test_falling_back_to_random_weights_warns(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.warns(UserWarning, match="has random weights") as caught:
        create_model(SEG.name, weights="auto")
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_importing_the_models_leaves_the_hubs_client_alone() -> None:
    code = (
        "import sys, evit_deploy.models; "
        "print([name for name in ('huggingface_hub', 'safetensors') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

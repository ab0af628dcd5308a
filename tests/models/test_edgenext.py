"""EdgeNeXt: what its blocks compute, where its names lead, and where its weights are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.models import create_model
from evit_deploy.models.checkpoints import load_checkpoint, to_timm_names
from evit_deploy.models.cross_covariance import CrossCovarianceAttention
from evit_deploy.models.edgenext import EdgeNeXt, EdgeNeXtArchitecture
from evit_deploy.models.edgenext_blocks import ConvEncoder, SDTAEncoder
from evit_deploy.models.fourier_positions import FourierPositions
from evit_deploy.models.random_weights import random_state_dict
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.weights import resolve_weights
from evit_deploy.models.zoo import find_model

GOLDEN = Path(__file__).parents[1] / "golden"
SPEC = find_model("edgenext-xx-small")
SMALL = EdgeNeXtArchitecture(widths=(8, 12, 20, 24), depths=(1, 2, 2, 1), heads=2)
SMALL_BN = EdgeNeXtArchitecture(SMALL.widths, SMALL.depths, SMALL.heads, batch_norm=True)
both_norms = pytest.mark.parametrize("config", [SMALL, SMALL_BN], ids=["layer norm", "batch norm"])


def seeded(module: nn.Module) -> nn.Module:
    module.load_state_dict(random_state_dict(module.state_dict()))
    return module.double().eval().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_attention_is_between_channels() -> None:
    module = seeded(CrossCovarianceAttention(12, heads=3))
    assert isinstance(module, CrossCovarianceAttention)
    tokens = noise(2, 7, 12)
    out = []
    q, k, v = functional.linear(tokens, module.qkv.weight, module.qkv.bias).chunk(3, dim=-1)
    for head in range(3):
        of = slice(4 * head, 4 * head + 4)
        lengths = q[..., of].norm(dim=1)[:, :, None] * k[..., of].norm(dim=1)[:, None]  # (B, d, d)
        cosines = torch.einsum("bni,bnj->bij", q[..., of], k[..., of]) / lengths
        weights = torch.softmax(module.temperature[head] * cosines, dim=-1)
        out.append(torch.einsum("bij,bnj->bni", weights, v[..., of]))
    assert (module(tokens) - module.proj(torch.cat(out, dim=-1))).abs().max() < 1e-12


def test_channels_must_fill_whole_heads() -> None:
    with pytest.raises(ValueError, match="10 channels cannot be divided into 4 heads"):
        CrossCovarianceAttention(10, heads=4)


def test_positions_are_the_published_formula_value_by_value() -> None:
    module = seeded(FourierPositions(5))
    height, width = 3, 4
    waves = torch.zeros(64, height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            for i in range(32):
                frequency = 10000 ** (2 * (i // 2) / 32)
                function = np.cos if i % 2 else np.sin
                waves[i, y, x] = function(2 * np.pi * (y + 1) / (height + 1e-6) / frequency)
                waves[32 + i, y, x] = function(2 * np.pi * (x + 1) / (width + 1e-6) / frequency)
    expected = functional.conv2d(waves[None], *module.parameters())
    assert (module(height, width) - expected).abs().max() < 1e-12


@pytest.mark.parametrize(("channels", "scales", "widths"), [(88, 3, (30, 30, 28)), (168, 4, (42,) * 4)])
def test_groups_may_be_unequal_and_cascade(channels: int, scales: int, widths: tuple[int, ...]) -> None:
    module = seeded(SDTAEncoder(channels, scales=scales, heads=4, positions=False))
    assert isinstance(module, SDTAEncoder)
    x = noise(1, channels, 5, 4)
    groups = list(torch.split(x, widths, dim=1))
    for i, convolution in enumerate(module.convs):
        groups[i] = convolution(groups[i] + (groups[i - 1] if i else 0))
    assert torch.equal(module.cascade(x), torch.cat(groups, dim=1))


def test_with_layer_norm_the_residual_of_the_attention_is_the_map_itself() -> None:
    plain, normed = (
        seeded(SDTAEncoder(8, scales=2, heads=2, positions=True, batch_norm=b)) for b in (False, True)
    )
    assert isinstance(plain, SDTAEncoder) and isinstance(normed, SDTAEncoder)
    x = noise(1, 8, 3, 3)
    for module in (plain, normed):
        nn.init.zeros_(module.gamma_xca)  # type: ignore[arg-type]
        assert module.pos_embd is not None
    positions = plain.pos_embd(3, 3)  # type: ignore[misc]
    assert torch.equal(plain.attend(x), x + positions)
    assert torch.equal(normed.attend(x), normed.norm_xca(x) + positions)


@both_norms
def test_maps_halve_from_stage_to_stage(config: EdgeNeXtArchitecture) -> None:
    model = seeded(config.build(5))
    assert isinstance(model, EdgeNeXt)
    shapes = []
    for stage in model.stages:
        stage.register_forward_hook(lambda _m, _i, output: shapes.append(tuple(output.shape[1:])))
    assert model(noise(2, 3, 64, 96)).shape == (2, 5)
    assert shapes == [(8, 16, 24), (12, 8, 12), (20, 4, 6), (24, 2, 3)]
    kinds = [[type(block) for block in stage] for stage in model.stages]
    assert kinds == [
        [ConvEncoder],
        [ConvEncoder, SDTAEncoder],
        [ConvEncoder, SDTAEncoder],
        [SDTAEncoder],
    ]


@both_norms
def test_takes_odd_sizes_and_drops_what_fills_no_stride(config: EdgeNeXtArchitecture) -> None:
    model = seeded(config.build(5))
    image = noise(1, 3, 35, 66)
    assert torch.equal(model(image), model(image[:, :, :32, :64]))


def test_batch_norm_models_have_no_bias_in_front_of_a_norm_and_hardswish() -> None:
    model = create_model("edgenext-xx-small-bn-hs")
    kinds = {type(module) for module in model.modules()}
    assert nn.Hardswish in kinds and nn.BatchNorm2d in kinds and not kinds & {nn.GELU, nn.LayerNorm}
    assert "stages.0.0.dwconv.bias" not in model.state_dict()
    assert "stages.1.1.convs.0.bias" in model.state_dict()


def _tanh_gelu(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "tanh"


def _other_eps(model: nn.Module) -> None:
    for module in model.modules():
        if hasattr(module, "eps"):
            module.eps = 1e-3


def _no_temperature(model: nn.Module) -> None:
    model.get_parameter("stages.2.5.xca.temperature").fill_(1.0)


def _swap_query_and_key(model: nn.Module) -> None:
    weight = model.get_parameter("stages.2.5.xca.qkv.weight")
    weight.copy_(weight.reshape(3, -1, weight.shape[1])[[1, 0, 2]].flatten(0, 1))


@pytest.mark.parametrize("change", [_tanh_gelu, _other_eps, _no_temperature, _swap_query_and_key])
@torch.no_grad()
def test_a_wrong_model_is_not_the_golden_one(change: Callable[[nn.Module], None]) -> None:
    golden = np.load(GOLDEN / "edgenext_xx_small_256x256.npz")
    image = np.random.default_rng(0).standard_normal((1, 3, 256, 256)).astype(np.float32)
    model = create_model(SPEC.name)
    change(model)
    error = np.abs(model(torch.from_numpy(image)).numpy() - golden["output"]).max() / golden["rms"]
    assert error > 1e-4


@pytest.mark.parametrize("wrap", ["model", "state_dict", "model_ema"])
def test_the_authors_checkpoints_load(tmp_path: Path, wrap: str) -> None:
    weights = seeded_state_dict(SPEC, seed=2)
    torch.save({wrap: weights, "epoch": 299}, tmp_path / "edgenext_xx_small.pth")
    loaded = load_checkpoint(tmp_path / "edgenext_xx_small.pth", SPEC)
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())


def test_timm_checkpoints_load(tmp_path: Path) -> None:
    weights = seeded_state_dict(SPEC, seed=2)
    torch.save(to_timm_names(weights, SPEC), tmp_path / "timm.pth")
    loaded = load_checkpoint(tmp_path / "timm.pth", SPEC)
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())


@pytest.mark.parametrize(
    ("published", "timm"),
    [
        ("downsample_layers.0.1.bias", "stem.1.bias"),
        ("downsample_layers.3.1.weight", "stages.3.downsample.1.weight"),
        ("stages.0.1.dwconv.weight", "stages.0.blocks.1.conv_dw.weight"),
        ("stages.2.5.pwconv2.bias", "stages.2.blocks.5.mlp.fc2.bias"),
        ("stages.2.5.xca.proj.weight", "stages.2.blocks.5.xca.proj.weight"),
        ("stages.1.1.gamma_xca", "stages.1.blocks.1.gamma_xca"),
        ("norm.bias", "head.norm.bias"),
        ("head.weight", "head.fc.weight"),
    ],
)
def test_timm_names_one_by_one(published: str, timm: str) -> None:
    assert list(to_timm_names({published: torch.ones(1)}, SPEC)) == [timm]


def test_timm_has_no_batch_norm_models() -> None:
    with pytest.raises(UserError, match="timm has no edgenext-small-bn-hs"):
        to_timm_names({}, find_model("edgenext-small-bn-hs"))


def test_pretrained_weights_are_not_on_the_hub_and_the_page_is_named() -> None:
    with pytest.raises(
        SetupError, match=r"edgenext-small on the hub; the authors' are at https://"
    ) as caught:
        resolve_weights(find_model("edgenext-small"), "pretrained")
    assert caught.value.code == Exit.WEIGHTS_UNAVAILABLE
    assert "--weights PATH" in str(caught.value)
    automatic = resolve_weights(SPEC, "auto")
    assert automatic.provenance.source == "random"
    assert "the authors' are at" in str(automatic.warning)

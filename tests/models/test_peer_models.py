"""The models that ours are compared with: sizes, shapes of their answers, and what their parts compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from evit_deploy.errors import UserError
from evit_deploy.models import create_model
from evit_deploy.models.complexity import count_macs
from evit_deploy.models.efficientdet import Cell, Fusion
from evit_deploy.models.segnext import EPS, RANK, Factorisation, SegNeXtArchitecture
from evit_deploy.models.transformers_models import Patches
from evit_deploy.models.zoo import (
    MODELS,
    PEERS,
    ModelSpec,
    build_model,
    check_resolution,
    find_model,
    num_classes_of,
)

every_peer = pytest.mark.parametrize("spec", PEERS, ids=lambda spec: spec.short_name)
# Of these the authors count the same things as we do; elsewhere they leave out the attention's products.
COUNTED_ALIKE = (
    *(f"efficientnet-b{size}" for size in range(7)),
    "mobilenet-v2",
    "segnext-t",
    "swin-t",
    "pvt-tiny",
    "efficientdet-d1",
)


@pytest.fixture(autouse=True)
def _transformers() -> None:
    pytest.importorskip("transformers")


@every_peer
def test_parameters_and_classes(spec: ModelSpec) -> None:
    with torch.device("meta"):
        model = build_model(spec)
    assert sum(parameter.numel() for parameter in model.parameters()) == spec.parameters
    if spec.architecture.class_key is not None:
        assert num_classes_of(model.state_dict(), spec) == spec.num_classes


@pytest.mark.parametrize("name", COUNTED_ALIKE)
def test_macs_are_the_published_ones(name: str) -> None:
    spec = find_model(name)
    assert count_macs(spec, spec.resolution) == pytest.approx(spec.macs, rel=0.05)


def test_macs_of_restormer_are_the_published_ones_and_the_attentions_products() -> None:
    """Which its authors leave out: d x d a head, over all positions, twice."""
    spec, side = find_model("restormer"), 256
    blocks = {(48, 1): 4, (96, 2): 6 + 6, (192, 4): 6 + 6, (384, 8): 8, (96, 1): 4 + 4}
    stride = {(48, 1): 1, (96, 1): 1, (96, 2): 2, (192, 4): 4, (384, 8): 8}
    products = sum(
        count * 2 * channels * (channels // heads) * (side // stride[channels, heads]) ** 2
        for (channels, heads), count in blocks.items()
    )
    assert count_macs(spec, (side, side)) - products == pytest.approx(140.99e9, rel=1e-3)


@pytest.mark.parametrize("size", range(7))
def test_odd_maps_are_halved_to_the_larger_half(size: int) -> None:
    spec = find_model(f"efficientnet-b{size}")
    with torch.device("meta"):
        model = build_model(spec).eval()
        image = torch.empty(1, 3, *spec.resolution)
    for block in model.model.efficientnet.encoder.blocks:
        block.register_forward_hook(_halves)
    with torch.no_grad():
        model(image)


def _halves(block: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    before, after = inputs[0].shape[-1], output.shape[-1]
    assert after == (before if block.depthwise_conv.stride == 1 else -(-before // 2))


def test_they_are_not_among_our_models() -> None:
    assert not {spec.name for spec in PEERS} & {spec.name for spec in MODELS}


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("segformer-b0", (64, 96), (1, 19, 16, 24)),
        ("segnext-t", (64, 96), (1, 19, 8, 12)),
        ("efficientnet-b0", (64, 64), (1, 1000)),
        ("mobilevit-xxs", (64, 64), (1, 1000)),
        ("mobilenet-v2", (64, 64), (1, 1000)),
        ("pvt-v2-b0", (64, 64), (1, 1000)),
        ("pvt-tiny", (224, 224), (1, 1000)),
        ("swin-t", (224, 224), (1, 1000)),
        ("efficientdet-d1", (128, 256), (1, 6138, 94)),
        ("sam-vit-b", (64, 96), (1, 256, 4, 6)),
        ("restormer", (32, 64), (1, 3, 32, 64)),
    ],
)
def test_answers(name: str, size: tuple[int, int], shape: tuple[int, ...]) -> None:
    model = create_model(name)
    torch.manual_seed(0)
    first, second = (model(torch.randn(1, 3, *size)) for _ in range(2))
    assert first.shape == shape
    assert bool(first.isfinite().all())
    assert not torch.allclose(first, second, rtol=1e-3)  # the answer depends on the image


def test_the_factorisation_is_of_low_rank_and_near() -> None:
    torch.manual_seed(0)
    exact = torch.rand(1, 32, RANK) @ torch.rand(1, RANK, 64)  # a map that has a factorisation
    found = Factorisation(32).double()(exact.double().reshape(1, 32, 8, 8)).detach()
    assert torch.linalg.matrix_rank(found[0].flatten(1), rtol=1e-9) <= RANK
    error = (found.flatten(2) - exact).norm() / exact.norm()
    noise = (exact.mean() - exact).norm() / exact.norm()  # the control: a constant
    assert float(error) < float(noise) / 1.5
    assert EPS > 0


def test_what_is_in_no_checkpoint_is_computed() -> None:
    table = create_model("swin-t").model.swin.encoder.layers[0].blocks[0].attention
    index = table.relative_position_bias.relative_position_index.reshape(49, 49)
    assert index.diagonal().unique().numel() == 1  # a position to itself
    assert index.unique().numel() == 13 * 13  # every offset of two positions in a window of 7 x 7


def test_a_table_of_positions_is_of_one_size() -> None:
    with pytest.raises(UserError, match=r"64x64 does not work for pvt-tiny.*224x224 only"):
        check_resolution(find_model("pvt-tiny"), 64, 64)


def test_positions_of_the_configured_size_are_as_they_are() -> None:
    positions = torch.nn.Parameter(torch.randn(1, 4, 4, 8))
    patches = Patches(torch.nn.Conv2d(3, 8, 16, 16, bias=False), positions)
    image = torch.zeros(1, 3, 64, 64)
    assert torch.equal(patches(image), positions)  # of a black image nothing else is left
    assert patches(torch.zeros(1, 3, 32, 96)).shape == (1, 2, 6, 8)


def test_fusion_is_a_weighted_mean() -> None:
    fuse = Fusion(4, 2).eval()
    fuse.convolution = torch.nn.Sequential()  # of nothing: the mean itself
    fuse.weight.data = torch.tensor([3.0, 1.0])
    first, second = torch.rand(1, 4, 2, 2), torch.rand(1, 4, 2, 2)
    mean = torch.nn.functional.silu((3 * first + second) / 4)
    torch.testing.assert_close(fuse([first, second]), mean, rtol=2e-3, atol=1e-3)
    fuse.weight.data = torch.tensor([1.0, -5.0])  # a map that is switched off
    torch.testing.assert_close(fuse([first, second]), torch.nn.functional.silu(first), rtol=2e-3, atol=1e-3)


def test_every_map_reaches_every_other() -> None:
    torch.manual_seed(0)
    cell = Cell(4).eval()
    maps = [torch.rand(1, 4, side, side) for side in (16, 8, 4, 2, 1)]
    before = cell(maps, maps[1:-1])
    for level in range(5):
        changed = [x + (index == level) for index, x in enumerate(maps)]
        after = cell(changed, maps[1:-1])
        assert all(not torch.equal(*pair) for pair in zip(before, after, strict=True)), level


def test_what_an_inner_map_gives_the_way_back_goes_to_coarser_ones_only() -> None:
    torch.manual_seed(0)
    cell = Cell(4).eval()
    maps = [torch.rand(1, 4, side, side) for side in (16, 8, 4, 2, 1)]
    before = cell(maps, maps[1:-1])
    for inner in range(3):
        again = [x + (index == inner) for index, x in enumerate(maps[1:-1])]
        same = [torch.equal(*pair) for pair in zip(before, cell(maps, again), strict=True)]
        assert same == [index <= inner for index in range(5)]


def test_a_restorer_of_nothing_answers_its_input() -> None:
    model = create_model("restormer")
    model.out.weight.data.zero_()
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(model(image), image)


def test_widths_are_data() -> None:
    tiny = SegNeXtArchitecture((8, 8, 16, 32), (1, 1, 1, 1), (2, 2, 2, 2), decoder=32).build(5)
    assert tiny.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 5, 8, 8)

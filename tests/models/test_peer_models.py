"""The models that ours are compared with: sizes, shapes of their answers, and what their parts compute."""

from __future__ import annotations

import pytest
import torch

from evit_deploy.models import create_model
from evit_deploy.models.complexity import count_macs
from evit_deploy.models.segnext import EPS, RANK, Factorisation, SegNeXtArchitecture
from evit_deploy.models.zoo import MODELS, PEERS, ModelSpec, build_model, find_model, num_classes_of

every_peer = pytest.mark.parametrize("spec", PEERS, ids=lambda spec: spec.short_name)
# Of these the authors count the same things as we do; elsewhere they leave out the attention's products.
COUNTED_ALIKE = ("efficientnet-b0", "mobilenet-v2", "segnext-t")


@pytest.fixture(autouse=True)
def _transformers() -> None:
    pytest.importorskip("transformers")


@every_peer
def test_parameters_and_classes(spec: ModelSpec) -> None:
    with torch.device("meta"):
        model = build_model(spec)
    assert sum(parameter.numel() for parameter in model.parameters()) == spec.parameters
    assert num_classes_of(model.state_dict(), spec) == spec.num_classes
    assert not [name for name, _ in model.named_buffers() if name not in model.state_dict()]


@pytest.mark.parametrize("name", COUNTED_ALIKE)
def test_macs_are_the_published_ones(name: str) -> None:
    spec = find_model(name)
    assert count_macs(spec, spec.resolution) == pytest.approx(spec.macs, rel=0.05)


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


def test_widths_are_data() -> None:
    tiny = SegNeXtArchitecture((8, 8, 16, 32), (1, 1, 1, 1), (2, 2, 2, 2), decoder=32).build(5)
    assert tiny.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 5, 8, 8)

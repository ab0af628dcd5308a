"""The detector: shapes, what is decoded, what it costs, and that it can learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.boxes import detections_of, intersection_over_union
from evit_deploy.models import create_model
from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.detection import LARGEST_EXPONENT, DetectionHeadConfig, decoded
from evit_deploy.models.detection_models import DETECTION_MODELS, DetectorArchitecture
from evit_deploy.models.efficientvit import BackboneConfig
from evit_deploy.models.spec import DETECTION, ModelSpec
from evit_deploy.models.zoo import find_model

TINY = DetectorArchitecture(
    BackboneConfig(widths=(8, 8, 16, 16, 32), depths=(0, 1, 1, 1, 1), dim=8),
    DetectionHeadConfig(width=16, depth=1, convolutions=1),
)


def raw_of(x: Tensor, classes: int, size: float = 0.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Predictions of nothing at all: every raw value 0, but for the size."""
    n = x.shape[-2] * x.shape[-1]
    return (
        torch.zeros(1, n, 2),
        torch.full((1, n, 2), size),
        torch.zeros(1, n, 1),
        torch.zeros(1, n, classes),
    )


@pytest.mark.parametrize("spec", DETECTION_MODELS, ids=lambda spec: spec.short_name)
def test_figures_are_counted(spec: ModelSpec) -> None:
    assert (spec.task, spec.accuracy, spec.num_classes) == (DETECTION, None, 80)
    assert count_parameters(spec) == spec.parameters
    assert count_macs(spec, spec.resolution) == pytest.approx(spec.macs, rel=0.01)


def test_the_detector_of_the_paper_has_its_macs() -> None:
    """4.4 G, to the digits that it gives."""
    assert round(find_model("det-b1").macs / 1e9, 1) == 4.4


def test_every_cell_of_three_maps_answers() -> None:
    output = create_model("det-b0", num_classes=3)(torch.randn(1, 3, 64, 96))
    assert output.shape == (1, 8 * 12 + 4 * 6 + 2 * 3, 4 + 3)
    assert bool(((output[..., 4:] > 0) & (output[..., 4:] < 1)).all())
    assert bool((output[..., :2] <= output[..., 2:4]).all())


def test_a_cell_that_says_nothing_is_a_box_of_a_cell_around_its_corner() -> None:
    x = torch.zeros(1, 8, 2, 4)
    boxes = decoded(raw_of(x, 3), x)[0]
    assert torch.allclose(boxes[0, :4], torch.tensor([-0.125, -0.25, 0.125, 0.25]))
    assert torch.allclose(boxes[6, :4], torch.tensor([0.375, 0.25, 0.625, 0.75]))  # column 2, row 1
    assert torch.allclose(boxes[:, 4:], torch.tensor(0.25))


def test_no_size_overflows() -> None:
    x = torch.zeros(1, 8, 1, 1)
    large, largest = (decoded(raw_of(x, 1, size), x) for size in (1e4, LARGEST_EXPONENT))
    assert torch.equal(large, largest) and bool(torch.isfinite(large).all())


class Squares(nn.Module):
    """Four images of 64 x 64, each with one or two filled squares of two kinds."""

    truth = (
        ((8, 8, 40, 40, 0),),
        ((24, 16, 56, 48, 1),),
        ((0, 32, 32, 64, 0), (40, 8, 56, 24, 1)),
        ((16, 24, 48, 56, 1),),
    )

    def __init__(self) -> None:
        super().__init__()
        images = 0.1 * torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
        for image, squares in zip(images, self.truth, strict=True):
            for left, top, right, bottom, kind in squares:
                image[kind, top:bottom, left:right] += 2.0
        self.register_buffer("images", images)


def loss_of(output: Tensor, truth: tuple[tuple[tuple[int, ...], ...], ...], centres: Tensor) -> Tensor:
    """Cross entropy of all scores, L1 of the boxes of cells whose middle lies in the middle of a square."""
    wanted, boxes, chosen = torch.zeros_like(output[..., 4:]), [], []
    for image, squares in enumerate(truth):
        for *box, kind in squares:
            corners = torch.tensor(box) / 64
            middle, reach = (corners[:2] + corners[2:]) / 2, (corners[2:] - corners[:2]) / 4
            inside = ((centres - middle).abs() <= reach).all(dim=1)
            wanted[image, inside, kind] = 1.0
            chosen.append(output[image, inside, :4])
            boxes.append(corners.expand(int(inside.sum()), 4))
    scores = nn.functional.binary_cross_entropy(output[..., 4:], wanted, reduction="sum") / 20
    return scores + 5 * (torch.cat(chosen) - torch.cat(boxes)).abs().mean()


def cell_middles() -> Tensor:
    """(N, 2), in parts of the image."""
    grids = [
        torch.stack(torch.meshgrid(*[(torch.arange(n) + 0.5) / n] * 2, indexing="xy"), -1) for n in (8, 4, 2)
    ]
    return torch.cat([grid.reshape(-1, 2) for grid in grids])


@pytest.mark.slow
def test_it_learns_four_images_by_heart() -> None:
    torch.manual_seed(0)
    data, model = Squares(), TINY.build(2).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(200):
        optimiser.zero_grad()
        loss_of(model(data.images), data.truth, cell_middles()).backward()
        optimiser.step()
    output = model.eval()(data.images).detach().numpy()
    for image, squares in enumerate(data.truth):
        found = detections_of(output[image], least_score=0.5, overlap=0.3)  # squares do not overlap
        assert len(found) == len(squares)
        for *box, kind in squares:
            overlaps = intersection_over_union(torch.tensor(box).numpy() / 64, found.boxes)
            assert overlaps.max() > 0.7 and found.classes[overlaps.argmax()] == kind

"""The exported form against the reference in float64: every prompt, spare places, and what is wrong fails."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from evit_deploy.exporters.mask_decoder.options import DecoderOptions
from evit_deploy.exporters.mask_decoder.prompts import PROMPTS, feeds_of
from evit_deploy.exporters.mask_decoder.token_major import TokenMaskDecoder
from evit_deploy.models.mask_decoder import PromptedMaskDecoder
from evit_deploy.prompts import ABSENT

ANY, EIGHT = DecoderOptions("onnx"), DecoderOptions("tflite", 8)


@pytest.fixture(scope="module")
def exact(reference: PromptedMaskDecoder) -> PromptedMaskDecoder:
    return copy.deepcopy(reference).double()


def inputs(name: str, options: DecoderOptions) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value).double() for key, value in feeds_of(PROMPTS[name], options).items()}


def answer(exact: PromptedMaskDecoder, name: str) -> tuple[Tensor, Tensor]:
    """The reference's, of the points that are there."""
    feeds = inputs(name, ANY)
    present = feeds["point_labels"][0] != ABSENT
    feeds |= {key: feeds[key][:, present] for key in ("point_coords", "point_labels")}
    with torch.no_grad():
        masks, iou = exact(**feeds)
    return masks, iou


def worst(references: tuple[Tensor, ...], candidates: tuple[Tensor, ...]) -> float:
    return max(
        float((r - c).abs().max() / r.square().mean().sqrt())
        for r, c in zip(references, candidates, strict=True)
    )


@pytest.mark.parametrize("name", ["points", "box, point", "mask", "mask alone"])
def test_computes_the_same_in_both_layouts(name: str, exact: PromptedMaskDecoder) -> None:
    expected = answer(exact, name)
    for options in (ANY, EIGHT):
        module = TokenMaskDecoder(copy.deepcopy(exact), channels_last=options.channels_last)
        with torch.no_grad():
            # The polynomial of the positions leaves 7e-10 (`prompt_tokens.py`).
            assert worst(expected, module(**inputs(name, options))) < 1e-8


def test_points_that_are_not_masked_out_change_the_answer(exact: PromptedMaskDecoder) -> None:
    feeds = inputs("point", EIGHT)
    feeds["point_labels"] = feeds["point_labels"].clamp(min=-1)  # "no point" has a token of its own
    module = TokenMaskDecoder(copy.deepcopy(exact), channels_last=True)
    with torch.no_grad():
        assert worst(answer(exact, "point"), module(**feeds)) > 1e-3


def test_swapped_upscalings_fail(exact: PromptedMaskDecoder) -> None:
    module = TokenMaskDecoder(copy.deepcopy(exact), channels_last=False)
    weight = module.upscale2.weight
    with torch.no_grad():
        weight.copy_(weight.reshape(2, 2, 32, 64).transpose(0, 1).reshape(weight.shape))
        assert worst(answer(exact, "point"), module(**inputs("point", ANY))) > 1e-2

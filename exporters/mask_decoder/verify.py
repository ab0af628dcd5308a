"""Whether a decoder's graph computes what the reference computes, at every prompt that it has room for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evit_deploy.exporters.mask_decoder.options import OPEN, DecoderOptions
from evit_deploy.exporters.mask_decoder.prompts import OUTPUTS, Feeds, decoder_feeds
from evit_deploy.exporters.tolerance import TOLERANCES, failure
from evit_deploy.exporters.verify import Check, ParityReport
from evit_deploy.models.mask_decoder import PromptedMaskDecoder
from evit_deploy.parity import Comparison, compare_outputs
from evit_deploy.prompts import ABSENT
from evit_deploy.runtimes import AUTO, open_runner

Outputs = dict[str, NDArray[np.float64]]
LARGE = 32  # points; the file is one for any number, so it is tried at one that nobody exports with


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reference makes of one prompt in float64, and how far its float32 is from that."""

    feeds: Feeds
    outputs: Outputs
    floors: dict[str, Comparison]


def expected_answers(reference: PromptedMaskDecoder, options: DecoderOptions) -> dict[str, Expected]:
    """For every prompt."""
    exact = copy.deepcopy(reference).double()
    samples = decoder_feeds(options)
    if options.points is OPEN:
        samples["many points"] = _many(samples["points"])
    return {name: _expected(feeds, reference, exact, options) for name, feeds in samples.items()}


def _many(feeds: Feeds) -> Feeds:
    generator = np.random.default_rng(1)
    coords = generator.uniform(0, 1023, (1, LARGE, 2)).astype(np.float32)
    labels = generator.integers(0, 2, (1, LARGE)).astype(np.float32)
    return {**feeds, "point_coords": coords, "point_labels": labels}


def _expected(
    feeds: Feeds, reference: PromptedMaskDecoder, exact: PromptedMaskDecoder, options: DecoderOptions
) -> Expected:
    tensors = _for_the_reference(feeds, options)
    with torch.no_grad():
        float64 = exact(**{name: value.double() for name, value in tensors.items()})
        float32 = reference(**tensors)
    outputs = {name: value.numpy() for name, value in zip(OUTPUTS, float64, strict=True)}
    floors = {
        name: compare_outputs(outputs[name], value.numpy(), class_axis=None)
        for name, value in zip(OUTPUTS, float32, strict=True)
    }
    return Expected(feeds, outputs, floors)


def _for_the_reference(feeds: Feeds, options: DecoderOptions) -> dict[str, Tensor]:
    """The embedding in NCHW, and only points that are there."""
    tensors = {name: torch.from_numpy(value) for name, value in feeds.items()}
    if options.channels_last:
        tensors["image_embedding"] = tensors["image_embedding"].permute(0, 3, 1, 2).contiguous()
    present = tensors["point_labels"][0] != ABSENT
    for name in ("point_coords", "point_labels"):
        tensors[name] = tensors[name][:, present]
    return tensors


def verify_decoder(graph: Path, expected: Mapping[str, Expected], *, interpreter: str = AUTO) -> ParityReport:
    """Run the graph on every prompt; a check is named after the prompt and the output.

    Raises:
        UserError, SetupError: as `open_runner`.
    """
    tolerance, checks = TOLERANCES["fp32"], []
    with open_runner(graph, interpreter=interpreter) as runner:
        for name, answer in expected.items():
            outputs = runner.run(answer.feeds)
            for output, reference in answer.outputs.items():
                comparison = compare_outputs(reference, outputs[output], class_axis=1)
                floor = answer.floors[output]
                reason = failure(comparison, tolerance, floor, classes=False)
                checks.append(Check(f"{name}: {output}", comparison, floor.sqnr_db, reason))
        return ParityReport(f"{runner.name} {runner.version}", tuple(checks))

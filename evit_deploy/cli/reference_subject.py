"""A PyTorch reference as a subject of `evit-eval`: a published model with its weights. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evit_deploy.benchmarks.accuracy.subject import HERE, Array, Pixels, Subject, classes_to_judge
from evit_deploy.models import create_model
from evit_deploy.models.own_models import model_named
from evit_deploy.models.weights import LoadedWeights, resolve_weights
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, check_resolution
from evit_deploy.photographs import normalise


def reference_subject(
    name: str, weights: str, resolution: tuple[int, int] | None, threads: int
) -> tuple[Subject, str | None]:
    """The reference, float32 on the CPU, and a warning about its weights or `None`.

    Args:
        name: of a published model, or the path of a file that describes one.
        weights: "pretrained", "random", "auto" or a checkpoint's path.
        resolution: (height, width) of the input; `None` for the published one.
        threads: of torch.

    Raises:
        UserError: no such model, a resolution that it cannot take, weights that do not fit.
        SetupError: pretrained weights that cannot be had.
    """
    spec = model_named(name)
    height, width = size = resolution or spec.resolution
    check_resolution(spec, height, width)
    loaded = resolve_weights(spec, weights, resolution=size)
    torch.set_num_threads(threads)
    subject = Subject(
        name=f"{spec.short_name} (PyTorch)",
        task=spec.task,
        num_classes=classes_to_judge(name, spec.task, loaded.num_classes),
        size=size,
        crop=spec.crop,
        identity=_identity(spec, loaded, size),
        answers=_Answers(spec, loaded),
    )
    return subject, loaded.warning


class _Answers:
    """(H, W, 3) pixels each -> logits (C,) or (C, H/8, W/8) each, float32. One after the other."""

    def __init__(self, spec: ModelSpec, loaded: LoadedWeights) -> None:
        self._model = create_model(spec, weights=loaded.state_dict)

    def __call__(self, images: Sequence[Pixels]) -> list[Array]:
        return [self._answer(pixels) for pixels in images]

    def _answer(self, pixels: Pixels) -> Array:
        values = normalise(pixels, IMAGENET_MEAN, IMAGENET_STD)  # (H, W, 3)
        image = torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()  # (1, 3, H, W)
        with torch.inference_mode():
            logits: Array = self._model(image)[0].numpy()
        return logits


def _identity(spec: ModelSpec, loaded: LoadedWeights, size: tuple[int, int]) -> dict[str, object]:
    origin = loaded.provenance
    return {
        "kind": "reference",
        "model": spec.name,
        "dataset": spec.dataset,
        **({} if spec.config is None else {"own": dict(spec.config)}),
        "weights": {
            "source": origin.source,
            "origin": origin.origin,
            "sha256": origin.sha256,
            "seed": origin.seed,
        },
        "resolution": list(size),
        "device": HERE,
        "runtime": {"name": "torch", "version": str(torch.__version__)},
    }

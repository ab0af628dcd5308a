"""What a model's manifest says of the way from a photograph to its input."""

from __future__ import annotations

from collections.abc import Mapping

from evit_deploy.artifact import PAD, TILE, Preprocessing
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.models.zoo import (
    IMAGE_EMBEDDING,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SUPER_RESOLUTION,
    ModelSpec,
)

# Task -> how an image is brought to the input's size, and how resized; of others: cropped, bicubic.
_FITS: Mapping[str, tuple[str, str]] = {
    IMAGE_EMBEDDING: (PAD, "bilinear"),
    SUPER_RESOLUTION: (TILE, "none"),
}


def preprocessing_of(spec: ModelSpec, options: ExportOptions) -> Preprocessing:
    """As the model was trained and published."""
    plain = Preprocessing(IMAGENET_MEAN, IMAGENET_STD, spec.crop, options.preprocess)
    fit, interpolation = _FITS.get(spec.task, (plain.fit, plain.interpolation))
    return Preprocessing(
        plain.mean, plain.std, plain.crop, plain.in_graph, interpolation=interpolation, fit=fit
    )

"""Models of the package `transformers`, built from a configuration, as modules of one image and one output.

    image (B, 3, H, W) -> logits (B, classes), or (B, classes, H / 4, W / 4) of a segmentation model
                          embedding (B, 256, H / 16, W / 16) of Segment Anything's encoder

Their code, sizes as data, random weights: to compare costs with. The package is in the extra "peers".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.errors import Exit, SetupError
from evit_deploy.models.spec import CLASSIFICATION


@dataclass(frozen=True, slots=True)
class TransformersArchitecture:
    """Sizes of a model of `transformers`.

    Attributes:
        family: what its classes begin with: `Segformer`, of `SegformerConfig`.
        head: what its class ends with: `ForImageClassification`.
        sizes: arguments of its configuration.
        answer: which field of its output counts.
        task, size_multiple, class_key: as `Architecture` has them.
        adapt: changes the module where an exporter has to be helped.
    """

    family: str
    head: str
    sizes: Mapping[str, Any]
    answer: str = "logits"
    task: str = CLASSIFICATION
    size_multiple: int = 32
    class_key: str | None = "model.classifier.weight"
    adapt: Callable[[nn.Module], None] | None = field(default=None, compare=False)

    def build(self, num_classes: int | None) -> Answer:
        """With the package's initial weights, in training mode.

        Raises:
            SetupError: as `module`.
        """
        return Answer(self.module(num_classes), self.answer)

    def module(self, num_classes: int | None) -> nn.Module:
        """The package's own module.

        Raises:
            SetupError: the package is not installed, or has no such model.
        """
        try:
            with _no_log_lines():
                import transformers
        except ImportError as error:
            raise SetupError(
                f"{self.family} is built by transformers, which cannot be imported ({error}): "
                "pip install 'evit-deploy[peers]'",
                Exit.MISSING_EXTRA,
            ) from error
        labels = {} if num_classes is None else {"num_labels": num_classes}
        # Plain matmuls and softmax: what every exporter takes.
        config = getattr(transformers, f"{self.family}Config")(
            attn_implementation="eager", **labels, **self.sizes
        )
        model: nn.Module = getattr(transformers, f"{self.family}{self.head}")(config)
        if self.adapt is not None:
            self.adapt(model)
        return model


class Answer(nn.Module):
    """A model of `transformers` without what it returns beside its answer."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, classes), (B, classes, H', W') or (B, channels, H', W')."""
        out: Tensor = getattr(self.model(pixel_values=image), self.name)
        return out


@contextmanager
def _no_log_lines() -> Iterator[None]:
    """What the package imports in turn logs which of its libraries it cannot load; none is used here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def pool_whole_map(model: nn.Module) -> None:
    """EfficientNet's pooling, a window of 1280 x 1280 over a map of 7 x 7, as what it comes to."""
    encoder: Any = model.efficientnet
    encoder.pooler = nn.AdaptiveAvgPool2d(1)


class Patches(nn.Module):
    """Segment Anything's patches and their positions; a table for another size is interpolated."""

    def __init__(self, projection: nn.Module, positions: nn.Parameter) -> None:
        super().__init__()
        self.projection, self.positions = projection, positions

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, H / 16, W / 16, C)."""
        x: Tensor = self.projection(image).permute(0, 2, 3, 1)
        positions = self.positions.permute(0, 3, 1, 2)  # (1, C, side, side)
        if positions.shape[-2:] != x.shape[1:3]:
            positions = functional.interpolate(positions, size=x.shape[1:3], mode="bilinear")
        return x + positions.permute(0, 2, 3, 1)


def take_any_size(model: nn.Module) -> None:
    """Segment Anything's encoder, which refuses all sizes but the configured one."""
    encoder: Any = model.vision_encoder
    encoder.patch_embed = Patches(encoder.patch_embed.projection, encoder.pos_embed)
    encoder.pos_embed = None

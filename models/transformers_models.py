"""Models of the package `transformers`, built from a configuration, as modules of one image and one output.

    image (B, 3, H, W) -> logits (B, classes), or (B, classes, H / 4, W / 4) of a segmentation model

Their code, sizes as data, random weights: to compare costs with. The package is in the extra "peers".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from evit_deploy.errors import Exit, SetupError
from evit_deploy.models.spec import CLASSIFICATION


@dataclass(frozen=True, slots=True)
class TransformersArchitecture:
    """Sizes of a model of `transformers`.

    Attributes:
        family: what its classes begin with: `Segformer`, of `SegformerConfig`.
        head: what its class ends with: `ForImageClassification`.
        sizes: arguments of its configuration.
        task, size_multiple, class_key: as `Architecture` has them.
        adapt: changes the module where an exporter has to be helped.
    """

    family: str
    head: str
    sizes: Mapping[str, Any]
    task: str = CLASSIFICATION
    size_multiple: int = 32
    class_key: str = "model.classifier.weight"
    adapt: Callable[[nn.Module], None] | None = field(default=None, compare=False)

    def build(self, num_classes: int | None) -> Logits:
        """With the package's initial weights, in training mode.

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
        # Plain matmuls and softmax: what every exporter takes.
        config = getattr(transformers, f"{self.family}Config")(
            num_labels=num_classes, attn_implementation="eager", **self.sizes
        )
        model: nn.Module = getattr(transformers, f"{self.family}{self.head}")(config)
        if self.adapt is not None:
            self.adapt(model)
        return Logits(model)


class Logits(nn.Module):
    """A model of `transformers` without what it returns beside its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, classes) or (B, classes, H', W')."""
        out: Tensor = self.model(pixel_values=image).logits
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

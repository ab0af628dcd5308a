"""EfficientViT detectors, as data: from the papers' description, see `detection.py`.

No weights are published. Parameters and MACs are counted on these models, the latter at `resolution`; their
accuracy is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

from evit_deploy.models.detection import DetectionHead, DetectionHeadConfig
from evit_deploy.models.efficientvit import BackboneConfig, EfficientViT
from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.efficientvit_models import BACKBONES
from evit_deploy.models.spec import DETECTION, ModelSpec


@dataclass(frozen=True, slots=True)
class DetectorArchitecture:
    """A backbone and a detector on its last three feature maps."""

    backbone: BackboneConfig | LargeBackboneConfig
    head: DetectionHeadConfig

    @property
    def task(self) -> str:
        """`DETECTION`."""
        return DETECTION

    @property
    def size_multiple(self) -> int:
        """Maps of strides 8, 16 and 32 meet."""
        return 32

    @property
    def class_key(self) -> str:
        """Of the last layer's weights, for the finest map."""
        return "head.heads.0.classes.conv.weight"

    def build(self, num_classes: int | None) -> EfficientViT:
        """The reference with PyTorch's initial weights, in training mode."""
        assert num_classes is not None, "a detector has classes"
        at_8, at_16, at_32 = self.backbone.widths[-3:]
        head = DetectionHead(
            self.head,
            in_channels=(at_8, at_16, at_32),
            num_classes=num_classes,
            act=self.backbone.act,
            norm_eps=self.backbone.norm_eps,
        )
        return EfficientViT(self.backbone.build(), head)


def _detector(size: str, width: int, depth: int, parameters: int, macs: float) -> ModelSpec:
    return ModelSpec(
        name=f"efficientvit-det-{size}",
        architecture=DetectorArchitecture(BACKBONES[size], DetectionHeadConfig(width, depth)),
        dataset="coco",
        num_classes=80,
        resolution=(512, 512),
        crop=1.0,
        parameters=parameters,
        macs=macs,
        accuracy=None,
    )


DETECTION_MODELS: tuple[ModelSpec, ...] = (
    _detector("b0", 48, 1, 1_089_087, 1.123e9),
    _detector("b1", 80, 1, 5_751_311, 4.356e9),
)

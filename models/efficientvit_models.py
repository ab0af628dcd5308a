"""The published EfficientViT models, as data: B and L, classification and segmentation.

Figures are the authors': parameters and MACs at `resolution`, accuracy from their papers and repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from evit_deploy.models.efficientvit import BackboneConfig, EfficientViT
from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.heads import (
    ClassificationHead,
    ClassificationHeadConfig,
    SegmentationHead,
    SegmentationHeadConfig,
)
from evit_deploy.models.spec import CLASSIFICATION, SEGMENTATION, ModelSpec


@dataclass(frozen=True, slots=True)
class EfficientViTArchitecture:
    """A backbone and a head that takes its last feature map, or its last three."""

    backbone: BackboneConfig | LargeBackboneConfig
    head: ClassificationHeadConfig | SegmentationHeadConfig

    @property
    def task(self) -> str:
        """`CLASSIFICATION` or `SEGMENTATION`."""
        return CLASSIFICATION if isinstance(self.head, ClassificationHeadConfig) else SEGMENTATION

    @property
    def size_multiple(self) -> int:
        """Maps of strides 8 and 32 meet in segmentation."""
        return 1 if isinstance(self.head, ClassificationHeadConfig) else 32

    @property
    def class_key(self) -> str:
        """Of the last layer's weights."""
        if isinstance(self.head, ClassificationHeadConfig):
            return "head.op_list.3.linear.weight"
        return f"head.output_ops.0.op_list.{0 if self.head.final_expand is None else 1}.conv.weight"

    def build(self, num_classes: int | None) -> EfficientViT:
        """The reference with PyTorch's initial weights, in training mode."""
        assert num_classes is not None, "both heads have classes"
        return EfficientViT(self.backbone.build(), self._head(num_classes))

    def _head(self, num_classes: int) -> nn.Module:
        config = self.backbone
        if isinstance(self.head, ClassificationHeadConfig):
            return ClassificationHead(
                self.head,
                in_channels=config.widths[-1],
                num_classes=num_classes,
                act=config.act,
                norm_eps=config.norm_eps,
            )
        at_8, at_16, at_32 = config.widths[-3:]
        return SegmentationHead(
            self.head,
            in_channels=(at_32, at_16, at_8),
            num_classes=num_classes,
            act=config.act,
            norm_eps=config.norm_eps,
        )


def large_backbone(widths: tuple[int, ...], depths: tuple[int, ...]) -> LargeBackboneConfig:
    """The published L models' kinds of blocks, with these sizes."""
    return LargeBackboneConfig(
        widths,
        depths,
        kinds=("res", "fmb", "fmb", "mb", "att"),
        expand=(1, 4, 4, 4, 6),
        fewer_norm=(False, False, False, True, True),
    )


BACKBONES: Mapping[str, BackboneConfig | LargeBackboneConfig] = {
    "b0": BackboneConfig(widths=(8, 16, 32, 64, 128), depths=(1, 2, 2, 2, 2), dim=16),
    "b1": BackboneConfig(widths=(16, 32, 64, 128, 256), depths=(1, 2, 3, 3, 4), dim=16),
    "b2": BackboneConfig(widths=(24, 48, 96, 192, 384), depths=(1, 3, 4, 4, 6), dim=32),
    "b3": BackboneConfig(widths=(32, 64, 128, 256, 512), depths=(1, 4, 6, 6, 9), dim=32),
    "l1": large_backbone(widths=(32, 64, 128, 256, 512), depths=(1, 1, 1, 6, 6)),
    "l2": large_backbone(widths=(32, 64, 128, 256, 512), depths=(1, 2, 2, 8, 8)),
    "l3": large_backbone(widths=(64, 128, 256, 512, 1024), depths=(1, 2, 2, 8, 8)),
}


def _classifier(
    size: str, widths: tuple[int, int], crop: float, parameters: int, macs: float, top1: float, *sizes: int
) -> ModelSpec:
    return ModelSpec(
        name=f"efficientvit-{size}",
        architecture=EfficientViTArchitecture(BACKBONES[size], ClassificationHeadConfig(widths)),
        dataset="imagenet-1k",
        num_classes=1000,
        resolution=(224, 224),
        crop=crop,
        parameters=parameters,
        macs=macs,
        accuracy=top1,
        hub_repository="han-cai/efficientvit-cls",
        hub_files={(r, r): f"efficientvit_{size}_r{r}.pt" for r in sizes},
    )


def _cityscapes(
    size: str, head: SegmentationHeadConfig, parameters: int, macs: float, miou: float
) -> ModelSpec:
    return _segmenter(size, head, "cityscapes", 19, (1024, 2048), parameters, macs, miou)


def _ade20k(size: str, head: SegmentationHeadConfig, parameters: int, macs: float, miou: float) -> ModelSpec:
    return _segmenter(size, head, "ade20k", 150, (512, 512), parameters, macs, miou)


def _segmenter(
    size: str,
    head: SegmentationHeadConfig,
    dataset: str,
    num_classes: int,
    resolution: tuple[int, int],
    parameters: int,
    macs: float,
    miou: float,
) -> ModelSpec:
    return ModelSpec(
        name=f"efficientvit-seg-{size}-{dataset}",
        architecture=EfficientViTArchitecture(BACKBONES[size], head),
        dataset=dataset,
        num_classes=num_classes,
        resolution=resolution,
        crop=1.0,
        parameters=parameters,
        macs=macs,
        accuracy=miou,
        hub_repository="han-cai/efficientvit-seg",
        hub_files={resolution: f"efficientvit_seg_{size}_{dataset}.pt"},
    )


_SIZES = (224, 256, 288)
_LARGE_SIZES = (224, 256, 288, 320, 384)
_Seg = SegmentationHeadConfig

EFFICIENTVIT_MODELS: tuple[ModelSpec, ...] = (
    _classifier("b0", (1024, 1280), 1.0, 3_410_008, 0.100e9, 71.4, 224),
    _classifier("b1", (1536, 1600), 0.95, 9_102_024, 0.519e9, 79.39, *_SIZES),
    _classifier("b2", (2304, 2560), 1.0, 24_330_712, 1.585e9, 82.10, *_SIZES),
    _classifier("b3", (2304, 2560), 1.0, 48_646_056, 3.954e9, 83.47, *_SIZES),
    _classifier("l1", (3072, 3200), 1.0, 52_654_088, 5.258e9, 84.48, 224),
    _classifier("l2", (3072, 3200), 1.0, 63_707_016, 6.950e9, 85.05, *_LARGE_SIZES),
    _classifier("l3", (6144, 6400), 1.0, 246_037_288, 27.587e9, 85.81, *_LARGE_SIZES),
    _cityscapes("b0", _Seg(32, 1), 706_691, 4.39e9, 75.65),
    _cityscapes("b1", _Seg(64, 3), 4_803_443, 25.1e9, 80.55),
    _cityscapes("b2", _Seg(96, 3), 15_323_779, 73.6e9, 82.07),
    _cityscapes("b3", _Seg(128, 3), 39_603_155, 179.2e9, 83.02),
    _cityscapes("l1", _Seg(256, 3, 1, None, "fmb"), 40_242_227, 282.5e9, 82.72),
    _cityscapes("l2", _Seg(256, 5, 1, None, "fmb"), 52_607_923, 396.1e9, 83.23),
    _ade20k("b1", _Seg(64, 3, final_expand=None), 4_791_414, 3.09e9, 42.84),
    _ade20k("b2", _Seg(96, 3, final_expand=None), 15_293_382, 9.08e9, 45.94),
    _ade20k("b3", _Seg(128, 3, final_expand=None), 39_546_198, 22.2e9, 49.01),
    _ade20k("l1", _Seg(128, 3, final_expand=8, block="fmb"), 40_409_526, 36.3e9, 49.19),
    _ade20k("l2", _Seg(128, 3, final_expand=8, block="fmb"), 51_462_454, 45.2e9, 50.70),
)

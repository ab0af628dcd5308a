"""The published models, as data, and the function that builds one.

Figures are the authors': parameters and MACs at `resolution`, accuracy from their papers and repository.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.efficientvit import Backbone, BackboneConfig, EfficientViT
from evit_deploy.models.heads import (
    ClassificationHead,
    ClassificationHeadConfig,
    SegmentationHead,
    SegmentationHeadConfig,
)

CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

BACKBONES: Mapping[str, BackboneConfig] = {
    "b0": BackboneConfig(widths=(8, 16, 32, 64, 128), depths=(1, 2, 2, 2, 2), dim=16),
    "b1": BackboneConfig(widths=(16, 32, 64, 128, 256), depths=(1, 2, 3, 3, 4), dim=16),
    "b2": BackboneConfig(widths=(24, 48, 96, 192, 384), depths=(1, 3, 4, 4, 6), dim=32),
    "b3": BackboneConfig(widths=(32, 64, 128, 256, 512), depths=(1, 4, 6, 6, 9), dim=32),
}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One published model.

    `resolution` is (height, width) of the published evaluation; `macs` are counted there. `hub_files` maps
    the resolutions that have a checkpoint of their own to its file in `hub_repository`.
    """

    name: str
    backbone: str
    head: ClassificationHeadConfig | SegmentationHeadConfig
    dataset: str
    num_classes: int
    resolution: tuple[int, int]
    crop: float
    parameters: int
    macs: float
    accuracy: float  # top-1 or mIoU, percent
    hub_repository: str
    hub_files: Mapping[tuple[int, int], str]

    @property
    def task(self) -> str:
        """`CLASSIFICATION` or `SEGMENTATION`."""
        return CLASSIFICATION if isinstance(self.head, ClassificationHeadConfig) else SEGMENTATION

    @property
    def short_name(self) -> str:
        """`efficientvit-b1` -> `b1`."""
        return self.name.removeprefix("efficientvit-")

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this: maps of strides 8 and 32 meet in segmentation."""
        return 32 if self.task == SEGMENTATION else 1


def _classifier(
    size: str, widths: tuple[int, int], crop: float, parameters: int, macs: float, top1: float, *sizes: int
) -> ModelSpec:
    return ModelSpec(
        name=f"efficientvit-{size}",
        backbone=size,
        head=ClassificationHeadConfig(widths),
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


def _cityscapes(size: str, width: int, depth: int, parameters: int, macs: float, miou: float) -> ModelSpec:
    head = SegmentationHeadConfig(width, depth)
    return _segmenter(size, head, "cityscapes", 19, (1024, 2048), parameters, macs, miou)


def _ade20k(size: str, width: int, parameters: int, macs: float, miou: float) -> ModelSpec:
    head = SegmentationHeadConfig(width, depth=3, final_expand=None)
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
        backbone=size,
        head=head,
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


MODELS: tuple[ModelSpec, ...] = (
    _classifier("b0", (1024, 1280), 1.0, 3_410_008, 0.100e9, 71.4, 224),
    _classifier("b1", (1536, 1600), 0.95, 9_102_024, 0.519e9, 79.39, 224, 256, 288),
    _classifier("b2", (2304, 2560), 1.0, 24_330_712, 1.585e9, 82.10, 224, 256, 288),
    _classifier("b3", (2304, 2560), 1.0, 48_646_056, 3.954e9, 83.47, 224, 256, 288),
    _cityscapes("b0", 32, 1, 706_691, 4.39e9, 75.65),
    _cityscapes("b1", 64, 3, 4_803_443, 25.1e9, 80.55),
    _cityscapes("b2", 96, 3, 15_323_779, 73.6e9, 82.07),
    _cityscapes("b3", 128, 3, 39_603_155, 179.2e9, 83.02),
    _ade20k("b1", 64, 4_791_414, 3.09e9, 42.84),
    _ade20k("b2", 96, 15_293_382, 9.08e9, 45.94),
    _ade20k("b3", 128, 39_546_198, 22.2e9, 49.01),
)


def find_model(name: str) -> ModelSpec:
    """The model of that published or short name; case and underscores do not matter.

    Raises:
        UserError: no model has it; the nearest and all known names are in the message.
    """
    wanted = name.lower().replace("_", "-").removeprefix("efficientvit-")
    by_short_name = {spec.short_name: spec for spec in MODELS}
    if wanted in by_short_name:
        return by_short_name[wanted]
    near = difflib.get_close_matches(wanted, by_short_name, n=1, cutoff=0.5)
    hint = f"did you mean '{by_short_name[near[0]].name}'? " if near else ""
    raise UserError(
        f"unknown model '{name}': {hint}known: {', '.join(spec.short_name for spec in MODELS)}",
        Exit.UNKNOWN_MODEL,
    )


def check_resolution(spec: ModelSpec, height: int, width: int) -> None:
    """Refuse sizes that the model cannot take.

    Raises:
        UserError: not positive, too small, or not a multiple of what the head needs.
    """
    step, least = spec.size_multiple, 32
    if height >= least and width >= least and height % step == 0 and width % step == 0:
        return
    rule = f"at least {least}" + (f" and multiples of {step}" if step > 1 else "")
    nearest = "x".join(str(max(least, -(-side // step) * step)) for side in (height, width))
    raise UserError(
        f"resolution {height}x{width} does not work for {spec.name}: height and width must be {rule}; "
        f"the next that does is {nearest}",
        Exit.RESOLUTION,
    )


def build_model(spec: ModelSpec, *, num_classes: int | None = None) -> EfficientViT:
    """The reference with PyTorch's initial weights, in training mode; `create_model` is what users call."""
    config = BACKBONES[spec.backbone]
    classes = spec.num_classes if num_classes is None else num_classes
    if classes < 1:
        raise UserError(f"num_classes {classes}: expected at least 1", Exit.USAGE)
    head: nn.Module
    if isinstance(spec.head, ClassificationHeadConfig):
        head = ClassificationHead(
            spec.head, in_channels=config.widths[-1], num_classes=classes, norm_eps=config.norm_eps
        )
    else:
        _, _, at_8, at_16, at_32 = config.widths
        head = SegmentationHead(
            spec.head, in_channels=(at_32, at_16, at_8), num_classes=classes, norm_eps=config.norm_eps
        )
    return EfficientViT(Backbone(config), head)


def num_classes_of(state_dict: Mapping[str, Tensor]) -> int | None:
    """The class count that a checkpoint's last layer has; `None` where no known last layer is in it."""
    for key in ("head.op_list.3.linear.weight", "head.output_ops.0.op_list.1.conv.weight"):
        if key in state_dict:
            return int(state_dict[key].shape[0])
    key = "head.output_ops.0.op_list.0.conv.weight"  # heads without a final expansion
    return int(state_dict[key].shape[0]) if key in state_dict else None

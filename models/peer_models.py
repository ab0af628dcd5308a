"""The models that EfficientViT's papers compare with, as data; with random weights, for their cost.

Parameters are counted on these modules; MACs and accuracy are their authors', from the papers named, at
`resolution`. They are no part of `MODELS`: `evit-export plain` writes them.

    SegFormer      Xie et al., arXiv 2105.15203, table 1 (Cityscapes, 1024 x 2048)
    SegNeXt        Guo et al., arXiv 2209.08575, table 7
    EfficientNet   Tan, Le, arXiv 1905.11946, table 2
    MobileNetV2    Sandler et al., arXiv 1801.04381, table 4
    MobileViT      Mehta, Rastegari, arXiv 2110.02178, tables of the appendix
    PVT, PVTv2     Wang et al., arXiv 2102.12122, table 2; arXiv 2106.13797, table 2
    Swin           Liu et al., arXiv 2103.14030, table 1
    EfficientDet   Tan et al., arXiv 1911.09070, table 2
    SAM            Kirillov et al., arXiv 2304.02643, has no MACs of its encoders: counted here
    Restormer      Zamir et al., arXiv 2111.09881: 140.99 G at 256 x 256, without the attention's products
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evit_deploy.models.efficientdet import EfficientDetArchitecture
from evit_deploy.models.restormer import RestormerArchitecture
from evit_deploy.models.segnext import SegNeXtArchitecture
from evit_deploy.models.spec import IMAGE_EMBEDDING, SEGMENTATION, Architecture, ModelSpec
from evit_deploy.models.transformers_models import (
    TransformersArchitecture,
    pool_whole_map,
    take_any_size,
)


def _peer(
    name: str, architecture: Architecture, side: int, parameters: int, macs: float, top1: float
) -> ModelSpec:
    return _spec(name, architecture, "imagenet-1k", 1000, (side, side), parameters, macs, top1)


def _cityscapes(
    name: str, architecture: Architecture, parameters: int, macs: float, miou: float
) -> ModelSpec:
    return _spec(name, architecture, "cityscapes", 19, (1024, 2048), parameters, macs, miou)


def _spec(
    name: str,
    architecture: Architecture,
    dataset: str,
    num_classes: int | None,
    resolution: tuple[int, int],
    parameters: int,
    macs: float,
    accuracy: float | None,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        architecture=architecture,
        dataset=dataset,
        num_classes=num_classes,
        resolution=resolution,
        crop=1.0,
        parameters=parameters,
        macs=macs,
        accuracy=accuracy,
    )


def _segformer(widths: tuple[int, ...], depths: tuple[int, ...], decoder: int) -> TransformersArchitecture:
    return TransformersArchitecture(
        "Segformer",
        "ForSemanticSegmentation",
        {"hidden_sizes": widths, "depths": depths, "decoder_hidden_size": decoder},
        task=SEGMENTATION,
        class_key="model.decode_head.classifier.weight",
    )


def _classifier(
    family: str, sizes: Mapping[str, Any], class_key: str = "model.classifier.weight"
) -> TransformersArchitecture:
    return TransformersArchitecture(family, "ForImageClassification", sizes, class_key=class_key)


def _efficientnet_sizes(
    width: float, depth: float, last: int, side: int, odd: tuple[int, ...] = ()
) -> Mapping[str, Any]:
    """`odd`: the blocks that halve a map of odd size at `side`, and are padded for that."""
    return {
        "width_coefficient": width,
        "depth_coefficient": depth,
        "hidden_dim": last,
        "image_size": side,
        "depthwise_padding": list(odd),
    }


def _efficientnet(
    width: float, depth: float, last: int, side: int, odd: tuple[int, ...] = ()
) -> TransformersArchitecture:
    sizes = _efficientnet_sizes(width, depth, last, side, odd)
    return TransformersArchitecture(
        "EfficientNet", "ForImageClassification", sizes, size_multiple=1, adapt=pool_whole_map
    )


def _efficientdet_d1() -> EfficientDetArchitecture:
    backbone = TransformersArchitecture("EfficientNet", "Model", _efficientnet_sizes(1.0, 1.1, 1280, 240))
    return EfficientDetArchitecture(backbone, width=88, cells=4, depth=3)


def _sam_vit_b() -> TransformersArchitecture:
    return TransformersArchitecture(
        "SamVision",
        "Model",
        {},
        answer="last_hidden_state",
        task=IMAGE_EMBEDDING,
        class_key=None,
        adapt=take_any_size,
    )


def _mobilevit(
    hidden: tuple[int, ...], neck: tuple[int, ...], expand: float = 4.0
) -> TransformersArchitecture:
    return _classifier(
        "MobileViT", {"hidden_sizes": hidden, "neck_hidden_sizes": neck, "expand_ratio": expand}
    )


_B1_WIDTHS = (64, 128, 320, 512)

PEERS: tuple[ModelSpec, ...] = (
    _cityscapes("segformer-b0", _segformer((32, 64, 160, 256), (2, 2, 2, 2), 256), 3_719_027, 125.5e9, 76.2),
    _cityscapes("segformer-b1", _segformer(_B1_WIDTHS, (2, 2, 2, 2), 256), 13_682_131, 243.7e9, 78.5),
    _cityscapes("segformer-b2", _segformer(_B1_WIDTHS, (3, 4, 6, 3), 768), 27_361_235, 717.1e9, 81.0),
    _cityscapes("segnext-t", SegNeXtArchitecture((32, 64, 160, 256), (3, 3, 5, 2)), 4_233_843, 50.5e9, 79.8),
    _cityscapes("segnext-s", SegNeXtArchitecture(_B1_WIDTHS, (2, 2, 4, 2)), 13_903_315, 124.6e9, 81.3),
    _peer("efficientnet-b0", _efficientnet(1.0, 1.0, 1280, 224), 224, 5_288_548, 0.39e9, 77.1),
    _peer("efficientnet-b1", _efficientnet(1.0, 1.1, 1280, 240, (16,)), 240, 7_794_184, 0.70e9, 79.1),
    _peer("efficientnet-b2", _efficientnet(1.1, 1.2, 1408, 260, (5, 8, 16)), 260, 9_109_994, 1.0e9, 80.1),
    _peer("efficientnet-b3", _efficientnet(1.2, 1.4, 1536, 300, (5, 18)), 300, 12_233_232, 1.8e9, 81.6),
    _peer("efficientnet-b4", _efficientnet(1.4, 1.8, 1792, 380, (6,)), 380, 19_341_616, 4.2e9, 82.9),
    _peer("efficientnet-b5", _efficientnet(1.6, 2.2, 2048, 456, (13, 27)), 456, 30_389_784, 9.9e9, 83.6),
    _peer("efficientnet-b6", _efficientnet(1.8, 2.6, 2304, 528, (31,)), 528, 43_040_704, 19e9, 84.0),
    _peer("mobilenet-v2", _classifier("MobileNetV2", {"tf_padding": False}), 224, 3_504_872, 0.30e9, 72.0),
    _peer(
        "mobilevit-xxs",
        _mobilevit((64, 80, 96), (16, 16, 24, 48, 64, 80, 320), 2.0),
        256,
        1_272_024,
        0.4e9,
        69.0,
    ),
    _peer(
        "mobilevit-xs", _mobilevit((96, 120, 144), (16, 32, 48, 64, 80, 96, 384)), 256, 2_317_848, 0.7e9, 74.8
    ),
    _peer(
        "mobilevit-s",
        _mobilevit((144, 192, 240), (16, 32, 64, 96, 128, 160, 640)),
        256,
        5_578_632,
        2.0e9,
        78.4,
    ),
    replace(_peer("pvt-tiny", _classifier("Pvt", {}), 224, 13_229_288, 1.9e9, 75.1), one_size=True),
    _peer("pvt-v2-b0", _classifier("PvtV2", {}), 224, 3_666_760, 0.6e9, 70.5),
    _peer("swin-t", replace(_classifier("Swin", {}), size_multiple=224), 224, 28_288_354, 4.5e9, 81.3),
    _spec("efficientdet-d1", _efficientdet_d1(), "coco", 90, (640, 640), 6_625_898, 6.1e9, 40.2),
    _spec("sam-vit-b", _sam_vit_b(), "sa-1b", None, (1024, 1024), 89_670_912, 486e9, None),
    _spec("restormer", RestormerArchitecture(), "restoration", None, (128, 128), 26_126_644, 35.25e9, None),
)

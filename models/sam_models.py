"""The published EfficientViT-SAM image encoders, as data.

Parameters are the encoder's, `macs` those at `resolution`, accuracy is COCO's mAP of the whole model with
boxes for prompts, without training on COCO: the authors' figures.
"""

from __future__ import annotations

from dataclasses import replace

from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.efficientvit_models import BACKBONES
from evit_deploy.models.sam import SamEncoderArchitecture
from evit_deploy.models.spec import ModelSpec

NORM_EPS = 1e-6  # of every norm, the mask decoder's among them


def _large(depths: tuple[int, ...]) -> LargeBackboneConfig:
    like = BACKBONES["l1"]
    assert isinstance(like, LargeBackboneConfig)
    return replace(like, depths=depths, norm_eps=NORM_EPS)


def _extra_large(depths: tuple[int, ...]) -> LargeBackboneConfig:
    return LargeBackboneConfig(
        widths=(32, 64, 128, 256, 512, 1024),
        depths=depths,
        kinds=("res", "fmb", "fmb", "fmb", "att@3", "att@3"),
        expand=(1, 4, 4, 4, 4, 6),
        fewer_norm=(False, False, False, False, True, True),
        norm_eps=NORM_EPS,
    )


def _encoder(
    size: str,
    backbone: LargeBackboneConfig,
    neck: tuple[int, int],
    side: int,
    parameters: int,
    macs: float,
    coco_map: float,
) -> ModelSpec:
    """`neck`: its depth and expansion; `side` of the square image."""
    depth, expand = neck
    return ModelSpec(
        name=f"efficientvit-sam-{size}",
        architecture=SamEncoderArchitecture(backbone, depth, expand),
        dataset="sa-1b",
        num_classes=None,
        resolution=(side, side),
        crop=1.0,
        parameters=parameters,
        macs=macs,
        accuracy=coco_map,
        hub_repository="mit-han-lab/efficientvit-sam",
        hub_files={(side, side): f"efficientvit_sam_{size}.pt"},
    )


SAM_MODELS: tuple[ModelSpec, ...] = (
    _encoder("l0", _large((1, 1, 1, 4, 4)), (4, 1), 512, 30_728_224, 35e9, 45.7),
    _encoder("l1", _large((1, 1, 1, 6, 6)), (8, 1), 512, 43_585_568, 49e9, 46.2),
    _encoder("l2", _large((1, 2, 2, 8, 8)), (12, 1), 512, 57_264_032, 69e9, 46.6),
    _encoder("xl0", _extra_large((0, 1, 1, 2, 3, 3)), (6, 4), 1024, 112_893_344, 185e9, 47.5),
    _encoder("xl1", _extra_large((1, 2, 2, 4, 6, 6)), (12, 4), 1024, 199_281_568, 322e9, 47.8),
)

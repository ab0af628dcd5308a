"""The published EdgeNeXt models, as data.

Parameters, MACs at 256 x 256 and top-1 are the authors': from their paper and the table of their repository
(github.com/mmaaz60/EdgeNeXt). So is the crop: their evaluation resizes the shorter side to 292, 256 / 0.875
rounded down, with bicubic interpolation and takes the centre. Their distilled weights of small (81.07) and
base (83.68) fit the same models.
"""

from __future__ import annotations

from evit_deploy.models.edgenext import EdgeNeXtArchitecture
from evit_deploy.models.spec import ModelSpec

RELEASES = "https://github.com/mmaaz60/EdgeNeXt/releases"
CROP = 256 / 292  # of which our preprocessing, which rounds up, makes 292
_Depths = tuple[int, int, int, int]
_SHALLOW: _Depths = (2, 2, 6, 2)
_DEEP: _Depths = (3, 3, 9, 3)
_XX_SMALL, _X_SMALL, _SMALL = (24, 48, 88, 168), (32, 64, 100, 192), (48, 96, 160, 304)


def _model(
    name: str, architecture: EdgeNeXtArchitecture, parameters: int, macs: float, top1: float
) -> ModelSpec:
    return ModelSpec(
        name=f"edgenext-{name}",
        architecture=architecture,
        dataset="imagenet-1k",
        num_classes=1000,
        resolution=(256, 256),
        crop=CROP,
        parameters=parameters,
        macs=macs,
        accuracy=top1,
        weights_page=RELEASES,
    )


_Arch = EdgeNeXtArchitecture

EDGENEXT_MODELS: tuple[ModelSpec, ...] = (
    _model("xx-small", _Arch(_XX_SMALL, _SHALLOW, 4), 1_327_216, 260.58e6, 71.23),
    _model("x-small", _Arch(_X_SMALL, _DEEP, 4), 2_336_804, 538.0e6, 74.96),
    _model("small", _Arch(_SMALL, _DEEP, 8), 5_586_832, 1260.59e6, 79.41),
    _model("base", _Arch((80, 160, 288, 584), _DEEP, 8), 18_511_292, 3840.93e6, 82.47),
    _model("xx-small-bn-hs", _Arch(_XX_SMALL, _SHALLOW, 4, batch_norm=True), 1_326_184, 259.53e6, 70.33),
    _model("x-small-bn-hs", _Arch(_X_SMALL, _DEEP, 4, batch_norm=True), 2_335_008, 535.84e6, 74.87),
    _model("small-bn-hs", _Arch(_SMALL, _DEEP, 8, batch_norm=True), 5_584_000, 1257.28e6, 78.39),
)

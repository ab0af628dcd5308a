"""EfficientViT super-resolution models, as data: from the paper's description, see `super_resolution.py`.

No weights are published, nor how many blocks and channels there are. The paper's two widths, 0.75 and 1, are
ours of 24 and 32 channels; depth is ours, too. Parameters and MACs are counted on these models, the latter at
`resolution`, the low-resolution image's; what quality they reach is not known. `dataset` is what the paper
trains its smaller models on.
"""

from __future__ import annotations

from evit_deploy.models.spec import ModelSpec
from evit_deploy.models.super_resolution import SuperResolutionArchitecture

WIDTHS = {"w075": 24, "w100": 32}
DEPTH = 4


def _model(width: str, factor: int, parameters: int, macs: float) -> ModelSpec:
    return ModelSpec(
        name=f"efficientvit-sr-{width}-x{factor}",
        architecture=SuperResolutionArchitecture(WIDTHS[width], DEPTH, factor),
        dataset="div2k",
        num_classes=None,
        resolution=(128, 128),
        crop=1.0,
        parameters=parameters,
        macs=macs,
        accuracy=None,
    )


SUPER_RESOLUTION_MODELS: tuple[ModelSpec, ...] = (
    _model("w075", 2, 629_364, 0.878e9),
    _model("w100", 2, 1_085_932, 1.490e9),
    _model("w075", 4, 637_176, 1.006e9),
    _model("w100", 4, 1_096_336, 1.660e9),
)

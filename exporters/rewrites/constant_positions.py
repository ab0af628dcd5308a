"""The Fourier positional encoding as a constant.

    before:  p = W [sin, cos of rows and columns] + b        cumulated ones, sines, cosines, a 1x1 convolution
    after:   p                                               (1, C, H, W), one constant

It depends on the size of the map alone. Computed in float64 and rounded once.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.models.edgenext_blocks import SDTAEncoder
from evit_deploy.models.fourier_positions import FourierPositions

NAME = "positions-constant"


class ConstantPositions(nn.Module):
    """`FourierPositions` for maps of one size."""

    positions: Tensor

    def __init__(self, reference: FourierPositions, height: int, width: int) -> None:
        super().__init__()
        exact = copy.deepcopy(reference).double()(height, width).detach()
        self.register_buffer("positions", exact.to(reference.token_projection.weight.dtype))

    def forward(self, height: int, width: int) -> Tensor:
        """The size -> (1, C, height, width)."""
        assert (height, width) == tuple(self.positions.shape[-2:])
        return self.positions


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace the encoding of every `SDTAEncoder` that has one; returns how many."""
    found = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, SDTAEncoder) and isinstance(module.pos_embd, FourierPositions)
    ]
    for path, module in found:
        assert isinstance(module.pos_embd, FourierPositions)
        module.pos_embd = ConstantPositions(module.pos_embd, *input_shapes[path][-2:])
    return len(found)

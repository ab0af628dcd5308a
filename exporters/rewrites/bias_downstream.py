"""Biases of 1x1 convolutions without activation, moved to where the next bias is.

    before:  u = x + P h + p;      y = u  + Q g(W u  + b)      + q
    after:   v = x + P h;          y = v  + Q g(W v  + W p + b) + (p + q)

A residual stream may lack a constant, v = u - p, as long as every 1x1 convolution that reads it adds what it
misses to its own bias, and the last block of a stage gives it back. ONNX Runtime spends 1.5 to 2.5
instructions an output on a bias. Linear attention has to read the true stream: its depthwise convolution pads
with zeros, which a constant would not be.

Exact; computed in float64 and rounded once.
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import MBConv, OpSequence, ResidualBlock
from evit_deploy.models.efficientvit import EfficientViTBlock

NAME = "bias-downstream"


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Move what can be moved, norms folded before; `input_shapes` are not needed.

    Returns:
        How many biases are gone.
    """
    stages = [module for module in model.modules() if type(module) is OpSequence]
    return sum(_stage(list(stage.op_list)) for stage in stages)


def _stage(blocks: list[nn.Module]) -> int:
    moved, missing = 0, None
    for position, block in enumerate(blocks):
        if isinstance(block, EfficientViTBlock):
            moved += _attention_block(block)
            continue
        if not (isinstance(block, ResidualBlock) and isinstance(block.main, MBConv)):
            return moved
        follower = blocks[position + 1] if position + 1 < len(blocks) else None
        carries_on = isinstance(follower, ResidualBlock) and isinstance(follower.main, MBConv)
        missing = _through(block, missing, carries_on=carries_on)
        moved += carries_on
    return moved


def _attention_block(block: EfficientViTBlock) -> int:
    attention, local = block.context_module.main, block.local_module
    assert isinstance(attention, LiteMLA)
    missing = _taken(attention.proj.conv)
    _through(local, missing, carries_on=False)
    return 1


def _through(block: ResidualBlock, missing: Tensor | None, *, carries_on: bool) -> Tensor | None:
    """Give the block a stream that lacks `missing`; returns what its output lacks, nothing at the end."""
    main = block.main
    assert isinstance(main, MBConv)
    if missing is not None:
        weight = main.inverted_conv.conv.weight.detach().double()[:, :, 0, 0]  # (C', C)
        _add(main.inverted_conv.conv, weight @ missing)
    point = main.point_conv.conv
    if not block.shortcut:
        missing = None
    if not carries_on:
        if missing is not None:
            _add(point, missing)
        return None
    own = _taken(point)
    return own if missing is None else own + missing


def _taken(convolution: nn.Conv2d) -> Tensor:
    """The bias, in float64, which the convolution then lacks."""
    assert convolution.bias is not None, "batch-norm-fold comes first"
    bias = convolution.bias.detach().double()
    convolution.bias = None
    return bias


def _add(convolution: nn.Conv2d, values: Tensor) -> None:
    assert convolution.bias is not None
    exact = convolution.bias.detach().double() + values
    convolution.bias = nn.Parameter(exact.to(convolution.bias.dtype), requires_grad=False)

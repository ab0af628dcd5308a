"""Sums over the tokens of large maps, in blocks.

    before:  sum over n of v_n k_n^T                            one running sum of N products
    after:   sum over blocks of (sum over n in block)           of at most 2048

XNNPACK adds one product after the other into one float32. Where all tokens are alike, as on a black image,
the error of each addition has the same sign: segmentation B0 at 1024 x 2048, 8192 tokens at stride 16, has
95 dB, in blocks of 2048 106. Maps of up to 2048 tokens, 512 x 1024 at stride 16, are one block:
nothing changes for them. In float16 blocks are of 64: see `float16_sums.py`.
"""

from __future__ import annotations

from torch import Tensor

BLOCK = 2048


def blocks_of(height: int, width: int, most: int | None = None) -> int:
    """The fewest blocks of equally many rows, of at most `most` tokens, or of one row that is longer.

    `most` is `BLOCK` where it is not given.
    """
    most = BLOCK if most is None else most
    fitting = (m for m in range(1, height + 1) if height % m == 0 and height // m * width <= most)
    return next(fitting, height)


def head_products(left: Tensor, right: Tensor, blocks: int) -> Tensor:
    """Twice (N, h, d) -> the sum over tokens of left_n right_n^T, (h, d, d)."""
    if blocks == 1:
        return left.permute(1, 2, 0) @ right.permute(1, 0, 2)  # (h, d, d)
    heads, dim = left.shape[1:]
    left = left.reshape(blocks, -1, heads, dim).permute(2, 0, 3, 1)  # (h, m, d, n)
    right = right.reshape(blocks, -1, heads, dim).permute(2, 0, 1, 3)  # (h, m, n, d)
    products = left.reshape(heads * blocks, dim, -1) @ right.reshape(heads * blocks, -1, dim)  # (h m, d, d)
    return products.reshape(heads, blocks, -1).sum(dim=1).reshape(heads, dim, dim)  # (h, d, d)


def channel_sums(x: Tensor, blocks: int) -> Tensor:
    """(1, C, H, W) -> (1, C); by rows and then over them where there are several blocks."""
    last = x.permute(0, 2, 3, 1)  # (1, H, W, C)
    return last.sum((1, 2)) if blocks == 1 else last.sum(2).sum(1)

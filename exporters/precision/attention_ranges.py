"""How large the attention's intermediates become, and what follows for half precision.

The reference is run in float32 on calibration images and on the inputs of the verification; of each scale of
each attention the largest magnitudes are kept, and the smallest denominator. From these follow powers of two
(`rewrites/scaled_attention.py`) that bring sums and products to where float16 has room for both ends:

    2^16            the end: a sum beyond is infinite, and the quotient not a number
    2^13 ... 2^10   largest product
    2^10            largest sum over tokens
    2^-14           smallest normal number, and the floor of denominators

Other images have larger products, which are of degree three: twice as large q, k and v make it eight times.
So products are as low as the smallest denominator lets them. Trained B0 at 64, calibrated on its digits, has
13 times larger ones on noise of black and white pixels. Three times halved, 64 times larger ones are finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor, nn

from evit_deploy.exporters.precision.watch import Watch, watch_inputs
from evit_deploy.exporters.rewrites import Rewrite
from evit_deploy.exporters.rewrites.linear_attention import FLOOR
from evit_deploy.exporters.rewrites.scaled_attention import (
    CONTEXTS_NAME,
    NAME,
    Shift,
    rewrite,
    rewrite_contexts,
)
from evit_deploy.models.attention import LiteMLA

SUMS_BELOW = 2.0**10
PRODUCTS_BELOW = 2.0**13
MOST_CONTEXT_HALVINGS = 3  # 5 cost trained segmentation B0 2 dB on noise


@dataclass(frozen=True, slots=True)
class Largest:
    """Largest magnitudes of one scale of one attention, over all inputs.

    With q, k after relu: `sums` is of v k^T and of sum_n k_n, `products` of both times q; `denominator` is
    the smallest above zero.
    """

    query: float
    key: float
    value: float
    sums: float
    products: float
    denominator: float = math.inf

    def shift(self) -> Shift:
        """By which powers of two all has to be smaller, or larger where these are negative."""
        key = _halvings(self.sums, SUMS_BELOW)
        least = _halvings(self.query, PRODUCTS_BELOW)
        query = max(least, _halvings(self.products, PRODUCTS_BELOW) - key)
        return Shift(query, key, self._room_below(query + key))

    def _room_below(self, halvings: int) -> int:
        """How often the smallest denominator can be halved after that."""
        if not math.isfinite(self.denominator):
            return 0
        # A quarter of it is what is computed, see `rewrites/channel_major_attention.py`.
        room = math.floor(math.log2(self.denominator / (4 * FLOOR))) - halvings
        return min(max(room, 0), MOST_CONTEXT_HALVINGS)


AttentionRanges = Mapping[str, tuple[Largest, ...]]  # path of a `LiteMLA` -> its scales


class AttentionWatch:
    """Takes the largest magnitudes in every `LiteMLA` of `model` as `watch_inputs` runs it."""

    def __init__(self, model: nn.Module) -> None:
        self.ranges: dict[str, tuple[Largest, ...]] = {}
        self.watches: Mapping[nn.Module, Watch] = {
            module: partial(self._measure, path, module)
            for path, module in model.named_modules()
            if isinstance(module, LiteMLA)
        }

    def _measure(self, path: str, module: LiteMLA, x: Tensor) -> None:
        now = _measured(module, x)
        self.ranges[path] = tuple(map(_larger, self.ranges.get(path, now), now))


def attention_ranges(model: nn.Module, inputs: Iterable[Tensor]) -> dict[str, tuple[Largest, ...]]:
    """The largest magnitudes in every `LiteMLA` of `model`, over `inputs` (each of batch 1)."""
    watched = AttentionWatch(model)
    watch_inputs(model, watched.watches, inputs)
    return watched.ranges


def scaling_for(ranges: AttentionRanges) -> Rewrite:
    """The rewrite that scales queries and keys of every attention by what its ranges ask for."""
    return Rewrite(NAME, partial(rewrite, shifts=_shifts(ranges)))


def context_scaling_for(ranges: AttentionRanges) -> Rewrite:
    """Likewise of its sums, when it has been rewritten."""
    return Rewrite(CONTEXTS_NAME, partial(rewrite_contexts, shifts=_shifts(ranges)))


def _shifts(ranges: AttentionRanges) -> dict[str, list[Shift]]:
    return {path: [scale.shift() for scale in scales] for path, scales in ranges.items()}


def ranges_record(ranges: AttentionRanges) -> dict[str, object]:
    """For the manifest: largest magnitudes and what was done about them."""
    return {path: [_record(scale) for scale in scales] for path, scales in ranges.items()}


def _record(scale: Largest) -> dict[str, object]:
    largest = asdict(scale)
    smallest = largest.pop("denominator")
    return {
        "largest": largest,
        "smallest_denominator": smallest if math.isfinite(smallest) else None,
        "shift": asdict(scale.shift()),
    }


def _measured(module: LiteMLA, x: Tensor) -> tuple[Largest, ...]:
    qkv = module.qkv(x)
    return tuple(_of_scale(part, module.dim) for part in (qkv, *(scale(qkv) for scale in module.aggreg)))


def _of_scale(qkv: Tensor, dim: int) -> Largest:
    heads = qkv.reshape(-1, 3 * dim, qkv.shape[-2] * qkv.shape[-1])  # (h, 3d, N)
    q, k, v = torch.split(heads, dim, dim=1)
    q, k = q.relu(), k.relu()
    # Every partial sum counts, whatever the order in which a kernel adds: so sums of magnitudes.
    sums = torch.cat([v.abs() @ k.transpose(-1, -2), k.sum(-1)[:, None]], dim=1)  # (h, d + 1, d)
    products = sums @ q  # (h, d + 1, N)
    denominators = products[:, -1]
    positive = denominators[denominators > 0]
    smallest = float(positive.amin()) if len(positive) else math.inf
    query, key, value, summed, product = (float(each.abs().amax()) for each in (q, k, v, sums, products))
    return Largest(query, key, value, summed, product, smallest)


def _larger(one: Largest, other: Largest) -> Largest:
    names = ("query", "key", "value", "sums", "products")
    largest = {name: max(getattr(one, name), getattr(other, name)) for name in names}
    return Largest(**largest, denominator=min(one.denominator, other.denominator))


def _halvings(largest: float, limit: float) -> int:
    """How often `largest` has to be halved to be at most `limit`, and no further; negative: doubled."""
    return math.ceil(math.log2(largest / limit)) if largest > 0 else 0

"""What the two commands wrote, as the tables and pictures need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Largest magnitudes of one scale of one attention, before it is scaled, and by which powers it is.

    `sums` is of v k^T and of sum_n k_n, `products` of both times q, all of magnitudes. Queries are multiplied
    by 2^-query_shift, keys by 2^-key_shift, sums by 2^-context_shift before they are multiplied by q.
    """

    query: float
    key: float
    value: float
    sums: float
    products: float
    query_shift: int
    key_shift: int
    context_shift: int

    @property
    def scaled_sums(self) -> float:
        """As the file computes them."""
        return self.sums * 2.0**-self.key_shift

    @property
    def scaled_products(self) -> float:
        """As the file computes them."""
        return self.products * 2.0 ** -(self.query_shift + self.key_shift + self.context_shift)


@dataclass(frozen=True, slots=True)
class Found:
    """Of one model: attentions and blocks by their paths, in the order of the model.

    `blocks`: SQNR of the output where that one alone is in int8. `int8_db`: where all are.
    """

    name: str
    weights: str  # "random" or "file"
    resolution: tuple[int, int]
    attentions: Mapping[str, tuple[Range, ...]]
    blocks: Mapping[str, float]
    int8_db: float
    images: Json


def found_of(name: str, manifest: Json, sensitivity: Json) -> Found:
    """From a manifest of precision fp16 and a record of `evit-export sensitivity`."""
    height, width = sensitivity["resolution"]
    return Found(
        name=name,
        weights=sensitivity["weights"]["source"],
        resolution=(height, width),
        attentions={
            path: tuple(map(_range, scales)) for path, scales in manifest["quantization"]["attention"].items()
        },
        blocks={block["path"]: block["sqnr_db"] for block in sensitivity["blocks"]},
        int8_db=sensitivity["points"][0]["sqnr_db"],
        images=sensitivity["images"],
    )


def _range(scale: Json) -> Range:
    shift = scale["shift"]
    shifts = {f"{name}_shift": shift[name] for name in ("query", "key", "context")}
    return Range(**scale["largest"], **shifts)

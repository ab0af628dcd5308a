"""What a detector's output is to whoever uses it: boxes that do not say the same twice.

    (N, 4 + classes), decoded but not yet thinned out -> at most `limit` boxes, each with its class and score

Non-maximum suppression, class by class, is outside of the graph: how many boxes there are depends on the
image, which neither XNNPACK nor a fixed output can have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
COORDINATES = 4


@dataclass(frozen=True)
class Detections:
    """`boxes` (K, 4): x1, y1, x2, y2 in parts of the image's width and height; best first."""

    boxes: Array
    scores: Array  # (K,)
    classes: Array  # (K,), int64

    def __len__(self) -> int:
        return len(self.scores)


def detections_of(
    output: Array, *, least_score: float = 0.25, overlap: float = 0.65, limit: int = 100
) -> Detections:
    """The boxes of one image.

    Args:
        output: (N, 4 + classes) or (1, N, 4 + classes), as the graph gives it.
        least_score: what is below is left out.
        overlap: of two boxes of a class with a larger intersection over union, the better one stays.
        limit: at most so many, the best.
    """
    rows = output[0] if output.ndim == 3 else output
    scores = rows[:, COORDINATES:]
    cells, classes = np.nonzero(scores >= least_score)
    found = scores[cells, classes]
    order = np.argsort(-found, kind="stable")
    boxes, found, classes = rows[cells[order], :COORDINATES], found[order], classes[order]
    kept: list[int] = []
    for index in range(len(found)):
        if len(kept) == limit:
            break
        rivals = [other for other in kept if classes[other] == classes[index]]
        if not rivals or intersection_over_union(boxes[index], boxes[rivals]).max() <= overlap:
            kept.append(index)
    return Detections(boxes[kept], found[kept], classes[kept])


def intersection_over_union(box: Array, others: Array) -> Array:
    """(4,) with (K, 4) -> (K,); 0 where a box is empty."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    union = area(box[None]) + area(others) - common
    ratio: Array = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ratio


def area(boxes: Array) -> Array:
    """(K, 4) -> (K,); 0 where a corner lies on the wrong side of the other."""
    product: Array = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return product

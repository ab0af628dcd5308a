"""A prompt for EfficientViT-SAM as the rows that its decoder takes: x, y and what the point is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, UserError

Points = Sequence[Sequence[float]]
Box = Sequence[float]
BESIDE, ON, FIRST_CORNER, SECOND_CORNER = range(4)  # labels
NO_POINT = -1  # ends a prompt without a box
ABSENT = -2  # fills places of a graph that no point has: nothing attends to it


def prompt_points(
    points: Points, labels: Sequence[int], box: Box | None, size: tuple[int, int], *, has_mask: bool
) -> NDArray[np.float64]:
    """(N, 3), N >= 1: x, y, label of each point, then of the box's corners or of "no point".

    Args:
        points, labels, box: see `SamPredictor.predict`.
        size: (height, width) of the image.
        has_mask: whether an earlier answer says something, too.

    Raises:
        UserError: nothing is said, or something is outside of the image or not understood.
    """
    if not len(points) and box is None and not has_mask:
        raise UserError(
            "the prompt is empty: name at least one point, a box, or an earlier mask", Exit.PROMPT
        )
    if len(points) != len(labels):
        raise UserError(f"{len(points)} points have {len(labels)} labels, expected one each", Exit.PROMPT)
    rows = [_point(point, label, size) for point, label in zip(points, labels, strict=True)]
    if box is not None:
        rows += _corners(box, size)
    else:
        # An earlier mask alone has no token at all in the published model, not even that of "no point".
        rows.append((0.0, 0.0, NO_POINT if rows else ABSENT))
    return np.array(rows, np.float64)


def padded_to(prompt: NDArray[np.float64], room: int | None) -> NDArray[np.float64]:
    """The same with as many rows as a graph has room for; `None` for any number.

    Raises:
        UserError: it has not room for all.
    """
    if room is None:
        return prompt
    if len(prompt) > room:
        raise UserError(
            f"the prompt takes {len(prompt)} places, two of them for a box or one for none, and the decoder "
            f"has {room}; export it with --points {len(prompt)}, or to ONNX, which takes any number",
            Exit.PROMPT,
        )
    return np.concatenate([prompt, np.tile([0.0, 0.0, float(ABSENT)], (room - len(prompt), 1))])


def _point(point: Sequence[float], label: int, size: tuple[int, int]) -> tuple[float, float, int]:
    if label not in (BESIDE, ON):
        raise UserError(
            f"label {label} of point {tuple(point)}: expected 1 (on the object) or 0 (beside it)", Exit.PROMPT
        )
    x, y = _inside(point, size, "point")
    return x, y, label


def _corners(box: Box, size: tuple[int, int]) -> list[tuple[float, float, int]]:
    if len(box) != 4:
        raise UserError(f"box {tuple(box)}: expected four numbers, x0, y0, x1, y1", Exit.PROMPT)
    (x0, y0), (x1, y1) = _inside(box[:2], size, "box corner"), _inside(box[2:], size, "box corner")
    if x1 <= x0 or y1 <= y0:
        raise UserError(
            f"box {tuple(box)}: expected its left upper corner, then its right lower one", Exit.PROMPT
        )
    return [(x0, y0, FIRST_CORNER), (x1, y1, SECOND_CORNER)]


def _inside(point: Sequence[float], size: tuple[int, int], what: str) -> tuple[float, float]:
    if len(point) != 2:
        raise UserError(f"{what} {tuple(point)}: expected two numbers, x and y", Exit.PROMPT)
    x, y = float(point[0]), float(point[1])
    height, width = size
    if not (0 <= x <= width and 0 <= y <= height):  # NaN is outside, too
        raise UserError(
            f"{what} ({x:g}, {y:g}) is outside of the image: x is from 0 to {width}, y from 0 to {height}",
            Exit.PROMPT,
        )
    return x, y

from __future__ import annotations

import numpy as np
import pytest

from evit_deploy.errors import Exit, UserError
from evit_deploy.prompts import padded_to, prompt_points

SIZE = (100, 200)  # height, width


@pytest.mark.parametrize(
    ("points", "labels", "box", "expected"),
    [
        ([(5, 6)], [1], None, [(5, 6, 1), (0, 0, -1)]),
        ([(200, 100)], [0], (1, 2, 30, 40), [(200, 100, 0), (1, 2, 2), (30, 40, 3)]),
        ([], [], (1, 2, 30, 40), [(1, 2, 2), (30, 40, 3)]),
        ([], [], None, [(0, 0, -2)]),  # an earlier mask alone
    ],
)
def test_rows(points, labels, box, expected) -> None:
    assert np.array_equal(prompt_points(points, labels, box, SIZE, has_mask=True), expected)


@pytest.mark.parametrize(
    ("points", "labels", "box", "message"),
    [
        ([], [], None, "the prompt is empty"),
        ([(5, 6)], [], None, "1 points have 0 labels"),
        (
            [(201, 6)],
            [1],
            None,
            r"point \(201, 6\) is outside of the image: .* 0 to 200, y from 0 to 100",
        ),
        ([(5, -1)], [1], None, r"point \(5, -1\) is outside"),
        ([(float("nan"), 1)], [1], None, r"point \(nan, 1\) is outside"),
        ([(5,)], [1], None, "expected two numbers"),
        ([(5, 6)], [2], None, "label 2 of point"),
        ([], [], (1, 2, 3), "expected four numbers"),
        ([], [], (1, 2, 300, 40), r"box corner \(300, 40\) is outside"),
        ([], [], (30, 40, 1, 2), "expected its left upper corner"),
    ],
)
def test_wrong_prompts(points, labels, box, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        prompt_points(points, labels, box, SIZE, has_mask=False)
    assert caught.value.code == Exit.PROMPT


def test_places_that_no_point_has() -> None:
    prompt = prompt_points([(5, 6)], [1], None, SIZE, has_mask=False)
    assert padded_to(prompt, None) is prompt
    assert np.array_equal(padded_to(prompt, 4)[2:], [(0, 0, -2), (0, 0, -2)])
    with pytest.raises(UserError, match=r"takes 2 places, .* and the decoder has 1; .* --points 2"):
        padded_to(prompt, 1)

"""Boxes from a detector's output."""

from __future__ import annotations

import numpy as np
import pytest

from evit_deploy.boxes import area, detections_of, intersection_over_union


def row(*box: float, scores: tuple[float, ...]) -> list[float]:
    return [*box, *scores]


OUTPUT = np.array(
    [
        row(0.0, 0.0, 0.5, 0.5, scores=(0.9, 0.1)),
        row(0.0, 0.0, 0.5, 0.4, scores=(0.8, 0.1)),  # over 0.65 of the first
        row(0.0, 0.0, 0.5, 0.5, scores=(0.2, 0.7)),  # the same place, another class
        row(0.6, 0.6, 0.9, 0.9, scores=(0.5, 0.3)),  # elsewhere, both classes
    ],
    np.float32,
)


def test_the_better_of_two_stays_and_classes_do_not_compete() -> None:
    found = detections_of(OUTPUT)
    assert found.scores == pytest.approx([0.9, 0.7, 0.5, 0.3])
    assert found.classes.tolist() == [0, 1, 0, 1]
    assert np.array_equal(found.boxes, OUTPUT[[0, 2, 3, 3], :4])


def test_a_batch_axis_makes_no_difference() -> None:
    assert np.array_equal(detections_of(OUTPUT[None]).boxes, detections_of(OUTPUT).boxes)


def test_overlap_score_and_limit() -> None:
    assert len(detections_of(OUTPUT, overlap=0.85)) == 5
    assert detections_of(OUTPUT, least_score=0.6).scores == pytest.approx([0.9, 0.7])
    assert detections_of(OUTPUT, limit=1).scores == pytest.approx([0.9])


def test_nothing_found() -> None:
    found = detections_of(OUTPUT, least_score=0.95)
    assert len(found) == 0 and found.boxes.shape == (0, 4)


def test_intersection_over_union() -> None:
    others = np.array(
        [[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 1.0, 1.0], [2.0, 2.0, 3.0, 3.0], [0.3, 0.3, 0.1, 0.1]]
    )
    assert intersection_over_union(np.array([0.0, 0.0, 1.0, 1.0]), others) == pytest.approx([1, 0.25, 0, 0])
    assert intersection_over_union(others[3], others[3:]) == pytest.approx([0.0])  # of nothing
    assert area(others) == pytest.approx([1.0, 0.25, 1.0, 0.0])

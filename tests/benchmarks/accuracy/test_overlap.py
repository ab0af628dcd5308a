"""mIoU against a slow computation that shares nothing with ours; the bootstrap against resamples by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.bootstrap import miou_difference, miou_interval
from evit_deploy.benchmarks.accuracy.outcome import map_outcome
from evit_deploy.benchmarks.accuracy.overlap import image_miou, map_comparison, map_metrics, overlaps_of

Map = NDArray[np.uint8]
CLASSES = 5


def random_pair(seed: int, size: tuple[int, int] = (9, 13)) -> tuple[Map, Map]:
    """Labels with ignored pixels, and classes that are mostly right."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES - 1, size).astype(np.uint8)  # the last class is no label's
    noise = random.integers(0, CLASSES, size).astype(np.uint8)
    classes = np.where(random.random(size) < 0.7, labels, noise).astype(np.uint8)
    labels[random.random(size) < 0.1] = 255
    return labels, classes


def slow_iou(pairs: list[tuple[Map, Map]]) -> list[Fraction | None]:
    """Pixel by pixel, class by class, in fractions."""
    result: list[Fraction | None] = []
    for k in range(CLASSES):
        inside = union = 0
        for labels, classes in pairs:
            for label, found in zip(labels.ravel().tolist(), classes.ravel().tolist(), strict=True):
                if label != 255:
                    inside += label == k and found == k
                    union += label == k or found == k
        result.append(Fraction(inside, union) if union else None)
    return result


def test_iou_is_the_slow_one() -> None:
    pairs = [random_pair(seed) for seed in range(6)]
    outcomes = [map_outcome(labels, classes, None, CLASSES) for labels, classes in pairs]
    metrics = map_metrics(outcomes, CLASSES, seed=0)
    expected = slow_iou(pairs)
    assert metrics["iou_percent"] == pytest.approx([float(100 * iou) for iou in expected if iou is not None])
    occurring = [iou for iou in expected if iou is not None]
    assert metrics["miou_percent"] == pytest.approx(float(100 * sum(occurring) / len(occurring)))
    right = sum(int(((label == c) & (label != 255)).sum()) for label, c in pairs)
    counted = sum(int((label != 255).sum()) for label, _ in pairs)
    assert metrics["pixels"] == counted
    assert metrics["pixel_accuracy_percent"] == pytest.approx(100 * right / counted)


def test_a_class_that_occurs_nowhere_is_left_out() -> None:
    labels = np.zeros((4, 4), np.uint8)
    metrics = map_metrics([map_outcome(labels, labels, None, CLASSES)], CLASSES, seed=0)
    assert metrics["iou_percent"] == [100.0, None, None, None, None]
    assert (metrics["miou_percent"], metrics["classes_occurring"]) == (100.0, 1)


def test_a_class_that_is_only_found_counts_as_zero() -> None:
    labels = np.zeros((4, 4), np.uint8)
    classes = labels.copy()
    classes[0] = 3
    metrics = map_metrics([map_outcome(labels, classes, None, CLASSES)], CLASSES, seed=0)
    assert metrics["iou_percent"] == [75.0, None, None, 0.0, None]
    assert metrics["miou_percent"] == 37.5


def test_counts_are_accumulated_before_the_quotient() -> None:
    """The mean of the images' own mIoU would be another figure."""
    small, large = np.zeros((1, 1), np.uint8), np.zeros((10, 10), np.uint8)
    outcomes = [map_outcome(small, small + 1, None, 2), map_outcome(large, large, None, 2)]
    assert map_metrics(outcomes, 2, seed=0)["iou_percent"] == [pytest.approx(100 * 100 / 101), 0.0]


def test_pixels_without_a_class_are_wrong() -> None:
    labels = np.zeros((2, 2), np.uint8)
    outcome = map_outcome(labels, np.full((2, 2), CLASSES, np.uint8), None, CLASSES)
    metrics = map_metrics([outcome], CLASSES, seed=0)
    assert (metrics["pixel_accuracy_percent"], metrics["images_not_finite"]) == (0.0, 1)
    assert metrics["iou_percent"] == [0.0, None, None, None, None]


def test_an_image_that_is_ignored_altogether() -> None:
    labels = np.full((2, 2), 255, np.uint8)
    outcome = map_outcome(labels, np.zeros((2, 2), np.uint8), None, CLASSES)
    assert outcome.counts == ()
    assert image_miou(outcome, CLASSES) is None
    metrics = map_metrics([outcome, outcome], CLASSES, seed=0)
    assert (metrics["miou_percent"], metrics["miou_interval"], metrics["pixel_accuracy_percent"]) == (
        None,
    ) * 3


def test_the_bootstrap_is_one_of_resampled_datasets() -> None:
    pairs = [random_pair(seed, (4, 5)) for seed in range(5)]
    outcomes = [map_outcome(labels, classes, None, CLASSES) for labels, classes in pairs]
    resamples = np.random.default_rng(1).integers(5, size=(60, 5))
    drawn = [map_metrics([outcomes[i] for i in r], CLASSES, seed=0)["miou_percent"] for r in resamples]
    interval = miou_interval(overlaps_of(outcomes, CLASSES), seed=7)
    assert interval is not None
    inside = [100 * interval[0] <= value <= 100 * interval[1] for value in drawn]
    assert 50 <= sum(inside) < 60  # of 60, 57 are expected
    assert interval == miou_interval(overlaps_of(outcomes, CLASSES), seed=7)
    assert interval != miou_interval(overlaps_of(outcomes, CLASSES), seed=8)


def test_the_difference_is_paired() -> None:
    """Images vary a lot, and one model is a little worse on each: paired, that is beyond doubt."""
    random = np.random.default_rng(0)
    first, second = [], []
    for share in random.random(40) * 0.6 + 0.2:
        labels = random.integers(0, 2, (40, 40)).astype(np.uint8)
        good = np.where(random.random(labels.shape) < share, 1 - labels, labels).astype(np.uint8)
        bad = np.where(random.random(labels.shape) < 0.04, 1 - labels, good).astype(np.uint8)
        first.append(map_outcome(labels, good, None, 2))
        second.append(map_outcome(labels, bad, good, 2))
    own, other = overlaps_of(first, 2), overlaps_of(second, 2)
    test = miou_difference(own, other, seed=0)
    assert test is not None
    low, high = test.interval
    each = [miou_interval(overlaps, 0) for overlaps in (own, other)]
    exact = [map_metrics(o, 2, 0)["miou_percent"] for o in (first, second)]
    assert 100 * test.difference == pytest.approx(exact[0] - exact[1])
    widths = [bounds[1] - bounds[0] for bounds in each if bounds is not None]
    assert high - low < min(widths) / 3


def test_equal_models_differ_by_nothing() -> None:
    pairs = [random_pair(seed) for seed in range(4)]
    outcomes = [map_outcome(labels, classes, classes, CLASSES) for labels, classes in pairs]
    compared = map_comparison(outcomes, outcomes, CLASSES, seed=0)
    assert compared["agreement_percent"] == 100
    assert (compared["difference"], compared["interval"]) == (0.0, [0.0, 0.0])


def test_agreement_counts_ignored_pixels_too() -> None:
    labels = np.full((2, 2), 255, np.uint8)
    labels[0] = 0
    classes = np.array([[0, 1], [0, 1]], np.uint8)
    outcome = map_outcome(labels, classes, np.zeros((2, 2), np.uint8), 2)
    reference = map_outcome(labels, np.zeros((2, 2), np.uint8), None, 2)
    assert map_comparison([outcome], [reference], 2, seed=0)["agreement_percent"] == 50


def test_of_one_image_there_is_no_interval() -> None:
    outcome = map_outcome(*random_pair(0), None, CLASSES)
    assert map_metrics([outcome], CLASSES, seed=0)["miou_interval"] is None
    assert map_comparison([outcome], [outcome], CLASSES, seed=0)["difference"] is None

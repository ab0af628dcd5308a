from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.latency_profile import find_profile
from evit_deploy.benchmarks.predict_published import Line, markdown_row, published_lines, published_profile
from evit_deploy.benchmarks.published import (
    PUBLISHED,
    SCALING_CHECK,
    PublishedCounts,
    read_counts,
    scaled,
    wanted_graphs,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def counts() -> PublishedCounts:
    return read_counts()


@pytest.fixture(scope="module")
def lines(counts: PublishedCounts) -> list[Line]:
    return published_lines(counts)


def test_classification_is_predicted_from_the_others_within_6_percent(lines: list[Line]) -> None:
    errors = {line.published.name: line.error for line in lines if line.published.fitted}
    assert len(errors) == 9
    assert max(abs(error) for error in errors.values()) <= 0.06, errors


def test_segmentation_is_predicted_without_it_within_20_percent(lines: list[Line]) -> None:
    errors = {line.published.name: line.error for line in lines if not line.published.fitted}
    assert len(errors) == 7
    assert max(abs(error) for error in errors.values()) <= 0.20, errors


def test_intervals_of_what_was_held_out_cover(lines: list[Line]) -> None:
    covered = []
    for line in lines:
        printed, rounding = line.published.latency_ms, line.published.rounding_ms
        low, high = line.predicted.low_ms - rounding, line.predicted.high_ms + rounding
        covered.append(low <= printed <= high)
    # 90 % of 16; fewer than 12 would come up once in a hundred.
    assert sum(covered) >= 12


def test_the_docs_have_the_table(lines: list[Line]) -> None:
    text = (REPOSITORY / "docs/predict.md").read_text()
    assert [line.published.name for line in lines if markdown_row(line) not in text] == []


def test_the_shipped_profile_is_the_fit_of_the_tracked_counts(counts: PublishedCounts) -> None:
    assert find_profile("snapdragon-8gen1") == published_profile(counts)


def test_no_segmenter_is_in_the_fit(counts: PublishedCounts) -> None:
    assert not [pair.name for pair in published_profile(counts).pairs if pair.name.startswith("seg")]


def test_everything_is_counted(counts: PublishedCounts) -> None:
    for model, size in wanted_graphs():
        assert counts.classes(model, size)["simd_fma_fp32"] > 0


def test_scaled_counts_are_those_of_a_count(counts: PublishedCounts) -> None:
    model, size = SCALING_CHECK
    (published,) = [p for p in PUBLISHED if p.model == model]
    counted = [(small, counts.classes(model, small)) for small in published.counted_at]
    by_line, really = scaled(counted, size), counts.classes(model, size)
    assert sum(by_line.values()) == pytest.approx(sum(really.values()), rel=0.02)
    assert by_line["simd_fma_fp32"] == pytest.approx(really["simd_fma_fp32"], rel=0.02)


def test_scaling_is_a_line_in_the_pixels_by_class() -> None:
    small, large = {"load": 30.0, "branch": 9.0}, {"load": 50.0, "branch": 8.0, "store": 4.0}
    assert scaled([((2, 5), small), ((4, 5), large)], (6, 10)) == pytest.approx(
        {"load": 10 + 2 * 60, "branch": 8.0, "store": 4 * (1 + 40 / 10)}
    )

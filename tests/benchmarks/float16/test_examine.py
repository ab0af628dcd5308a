"""The proof on a small model: ours passes, the published attention does not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.benchmarks.float16.examine import (
    Distance,
    Examined,
    Row,
    distance,
    examine,
    examined_from_dict,
    reference_outputs,
)
from evit_deploy.benchmarks.float16.images import images_for
from evit_deploy.benchmarks.float16.run import FORCED, runs_on
from evit_deploy.benchmarks.float16.text import failures_of, table
from evit_deploy.devices import LocalDevice
from evit_deploy.models.zoo import CLASSIFICATION


@pytest.fixture(scope="module")
def examined(ours: Path, plain: Path) -> Examined:
    images = images_for(CLASSIFICATION, (64, 64), 1.0, None, outputs=1000)
    expected = reference_outputs("b0", "random", images)
    with runs_on(LocalDevice(), lambda _: None) as run:
        return examine(ours, plain, images, expected, run, FORCED)


@pytest.mark.slow
def test_ours_is_finite_close_and_not_limited_by_its_attention(examined: Examined) -> None:
    assert [row.image for row in examined.rows] == ["noise", "black", "white", "saturated", "photo"]
    assert not list(failures_of(examined, trained=True))


@pytest.mark.slow
def test_the_published_attention_fails_the_same_test(examined: Examined) -> None:
    assert any(row.plain is not None and row.plain.sqnr_db is None for row in examined.rows)
    assert "**not finite**" in table(examined.rows)


def test_images_are_pixels_of_the_size_and_the_extremes_extreme(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(3):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / f"{number}.png")
    images = images_for(CLASSIFICATION, (32, 48), 1.0, tmp_path, outputs=1000)
    pixels = [one for of_a_kind in images.values() for one in of_a_kind]
    assert {one.shape for one in pixels} == {(32, 48, 3)}
    assert {one.dtype for one in pixels} == {np.dtype(np.uint8)}
    assert set(np.unique(images["saturated"])) == {0, 255}
    assert images["test"][0][0, 0].tolist() == [0, 0, 0]
    assert "test" not in images_for(CLASSIFICATION, (32, 48), 1.0, None, outputs=1000)


def test_of_few_outputs_there_are_many_images() -> None:
    images = images_for(CLASSIFICATION, (32, 48), 1.0, None, outputs=10)
    assert {kind: len(of_a_kind) for kind, of_a_kind in images.items()} == {
        **{"noise": 40, "black": 1, "white": 1, "saturated": 40, "photo": 40},
    }
    for kind in ("noise", "saturated", "photo"):
        assert len({one.tobytes() for one in images[kind]}) == 40


def test_each_way_to_fail_is_named() -> None:
    good, nan = Distance(50.0, 0.0), Distance(None, 0.25)
    cases = {
        "NaN or infinity in 25% of the output": Row("a", nan, good, good),
        "39.0 dB, at least 40 are demanded": Row("a", Distance(39.0, 0.0), good, good),
        "46.9 dB, with the attention in float32 50.0": Row("a", Distance(46.9, 0.0), good, good),
    }
    for text, row in cases.items():
        (failure,) = failures_of(Examined((row,), pieces_are_exact=True), trained=True)
        assert text in failure
    (failure,) = failures_of(Examined((), pieces_are_exact=False), trained=True)
    assert "the pieces in float16 do not give" in failure


def test_what_is_close_enough_passes() -> None:
    close, far = Row("a", Distance(47.1, 0.0), Distance(50.0, 0.0), Distance(None, 1.0)), Distance(39.0, 0.0)
    assert not list(failures_of(Examined((close,), pieces_are_exact=True), trained=True))
    # Random weights have no answers that could be close, but may not be limited by the attention either.
    assert not list(failures_of(Examined((Row("a", far, far, None),), pieces_are_exact=True), trained=False))


def test_what_is_stored_comes_back() -> None:
    rows = (Row("a", Distance(50.0, 0.0), Distance(None, 0.5), None),)
    examined = Examined(rows, pieces_are_exact=True)
    assert examined_from_dict(json.loads(json.dumps(asdict(examined)))) == examined


def test_distance_of_an_output_with_nan() -> None:
    reference = np.ones((4,), np.float32)
    found = distance([reference], [np.array([1, np.nan, np.inf, 1], np.float32)])
    assert found == Distance(None, 0.5)
    assert distance([reference], [reference * 1.1]).sqnr_db == pytest.approx(20, abs=0.01)


def test_outputs_of_a_kind_are_compared_together() -> None:
    small, large = np.ones((4,), np.float32), np.full((4,), 100, np.float32)
    assert distance([small, large], [small * 0, large]).sqnr_db == pytest.approx(40, abs=0.01)

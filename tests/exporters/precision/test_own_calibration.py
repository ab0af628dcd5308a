"""An int8 export that was calibrated on the user's own images is judged on some of those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.calibration import read_calibration
from evit_deploy.exporters.reference import reference_values
from evit_deploy.exporters.reverify import Outcome, verify_artifact
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.verify import verify_graph

Jobs = Callable[..., ExportJob]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven dark images, whose ranges cut most of a photograph by day off."""
    path = tmp_path_factory.mktemp("images") / "night.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 12, (7, 64, 64, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def job(int8_job: Jobs, night: Path) -> ExportJob:
    return replace(int8_job(), calibration=read_calibration(night))


@pytest.fixture(scope="module")
def made(job: ExportJob) -> Exported:
    return export(job)


def verified(made: Exported, calibration: Path | None) -> Outcome:
    return verify_artifact(
        made.path, weights=None, interpreter="auto", step=lambda _: None, calibration=calibration
    )


def test_the_samples_are_the_first_the_last_and_some_between(job: ExportJob) -> None:
    assert job.calibration is not None
    images = list(job.calibration.pixels(64, 64))
    assert np.array_equal(job.calibration.some_pixels(4, 64, 64), [images[i] for i in (0, 2, 4, 6)])
    assert len(job.calibration.some_pixels(20, 64, 64)) == 7
    assert len(job.calibration.some_pixels(1, 64, 64)) == 1
    names = [name for name in check_inputs(job.options, job.calibration) if name.startswith("photo-")]
    assert names == [f"photo-calibration-{i}" for i in (1, 2, 3, 4)]


def test_it_is_judged_on_the_images_that_it_is_for(made: Exported, int8_job: Jobs) -> None:
    judged = [check.sample for check in made.report.checks if check.judged]
    assert judged == [f"photo-calibration-{i}" for i in (1, 2, 3, 4)]
    by_day = verify_graph(made.path, reference_values(int8_job()), precision="int8", class_axis=1)
    assert by_day.worst.sample in ("photo-china", "photo-flower")
    assert by_day.worst.comparison.sqnr_db < made.report.worst.comparison.sqnr_db - 5
    # What it makes of them is in the manifest all the same.
    samples = made.manifest.parity["samples"]
    assert samples["other-china"]["sqnr_db"] == by_day.as_dict()["samples"]["photo-china"]["sqnr_db"]
    assert samples["other-china"]["judged"] is False


def test_verified_again_on_the_same_images(made: Exported, night: Path) -> None:
    outcome = verified(made, night)
    assert outcome.wrong is None
    assert outcome.report.as_dict() == made.report.as_dict()


@pytest.mark.parametrize(
    ("own", "code", "message"),
    [
        (None, Exit.USAGE, r"took its ranges of the images 'night.npz' .*--calibration PATH"),
        ("others.npz", Exit.IMAGE, r"was made from images of sha256 .*, got .*: name the right ones"),
    ],
)
def test_without_its_images(
    own: str | None, code: Exit, message: str, made: Exported, tmp_path: Path
) -> None:
    other = None if own is None else tmp_path / own
    if other is not None:
        np.savez(other, image=np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=message) as caught:
        verified(made, other)
    assert caught.value.code == code


def test_images_for_an_artifact_that_has_none(made_int8: Exported, night: Path) -> None:
    with pytest.raises(UserError, match="was not made from images of yours: drop --calibration"):
        verified(made_int8, night)

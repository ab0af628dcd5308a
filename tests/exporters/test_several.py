"""Several exports at a time write what one at a time writes, and fail as cleanly."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.artifact import check_path, manifest_path
from evit_deploy.errors import EvitError, Exit, ParityError
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.plain import PLAIN_EXPORTERS
from evit_deploy.exporters.reference import reference_values
from evit_deploy.exporters.rewrites import EXPORT_PIPELINE, Rewrite
from evit_deploy.exporters.rewrites.bicubic_upsample import rewrite_bilinear
from evit_deploy.exporters.several import (
    References,
    export_one_by_one,
    export_side_by_side,
    processes_for,
    reference_key,
)
from evit_deploy.exporters.shared_reference import in_layout, load_outputs, save_outputs
from evit_deploy.models.zoo import find_model

Jobs = Callable[..., ExportJob]
SEG = "seg-b0-cityscapes"


def silent(job: ExportJob, text: str) -> None:
    pass


def files_of(made: Exported) -> list[bytes]:
    return [path.read_bytes() for path in (made.path, manifest_path(made.path), check_path(made.path))]


def test_two_models_in_two_processes_are_those_of_one(job_for: Jobs, tmp_path: Path) -> None:
    cases = [("b0", "onnx"), (SEG, "tflite"), (SEG, "onnx")]
    jobs = [replace(job_for(model, format, (64, 64)), output=tmp_path / "a") for model, format in cases]
    together = export_side_by_side(jobs, 2, silent)
    assert [made.path for made in together] == [job.path for job in jobs]
    assert {path.name.partition(".")[0] for path in (tmp_path / "a").iterdir()} == {j.name for j in jobs}
    alone = export_one_by_one([replace(job, output=tmp_path / "b") for job in jobs], silent)
    for one, other in zip(together, alone, strict=True):
        assert files_of(one) == files_of(other)


def test_the_first_failure_is_raised_and_nothing_of_it_stays(job_for: Jobs, tmp_path: Path) -> None:
    wrong = Rewrite("wrong", rewrite_bilinear)
    jobs = [
        replace(job_for(SEG, format, (64, 64)), output=tmp_path / "new", pipeline=(wrong, *EXPORT_PIPELINE))
        for format in ("onnx", "tflite")
    ]
    with pytest.raises(ParityError, match="differs from the reference"):
        export_side_by_side(jobs, 2, silent)
    assert os.listdir(tmp_path) == []
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_an_error(job_for: Jobs, tmp_path: Path) -> None:
    def kill(job: ExportJob, text: str) -> None:
        if text == "rewrite and convert":
            for process in multiprocessing.active_children():
                process.kill()

    jobs = [
        replace(job_for("b0", format, (64, 64)), output=tmp_path / "new") for format in ("onnx", "tflite")
    ]
    with pytest.raises(EvitError, match="was killed, as for want of memory; try --jobs 1") as caught:
        export_side_by_side(jobs, 2, kill)
    assert caught.value.code == Exit.CONVERSION
    assert os.listdir(tmp_path) == []


def test_what_formats_share_is_computed_once(job_for: Jobs) -> None:
    references = References()
    onnx, tflite = (job_for(SEG, format, (64, 96)) for format in ("onnx", "tflite"))
    assert reference_key(onnx) == reference_key(tflite)
    assert references.shared(onnx) is references.shared(tflite)
    channels_last = references.of(tflite)
    for name, output in references.of(onnx).outputs.items():
        assert np.array_equal(output.transpose(0, 2, 3, 1), channels_last.outputs[name])
        assert channels_last.samples[name].shape == (1, 64, 96, 3)


@pytest.mark.parametrize(
    "other", [("b0", (64, 96), {}), (SEG, (96, 64), {}), (SEG, (64, 96), {"upsample": "bilinear"})]
)
def test_other_networks_and_inputs_share_nothing(
    other: tuple[str, tuple[int, int], dict[str, object]], job_for: Jobs
) -> None:
    model, resolution, options = other
    job = job_for(model, "onnx", resolution, **options)
    assert reference_key(job) != reference_key(job_for(SEG, "onnx", (64, 96)))


def test_saved_outputs_are_the_very_same(job_for: Jobs, tmp_path: Path) -> None:
    job = job_for(SEG, "tflite", (64, 64))
    shared = References().shared(job)
    save_outputs(shared, tmp_path)
    loaded, computed = in_layout(load_outputs(tmp_path), job.options), reference_values(job)
    assert loaded.floors == computed.floors
    for name, output in computed.outputs.items():
        assert np.array_equal(loaded.outputs[name], output)
        assert np.array_equal(loaded.samples[name], computed.samples[name])


def test_no_more_processes_than_memory_bears(job_for: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [job_for("b0", format, (64, 64)) for format in ("onnx", "tflite")]
    monkeypatch.setattr("evit_deploy.exporters.several.usable_cores", lambda: 8)
    for available_gib, expected in ((0, 1), (1.5, 1), (100, 2)):
        available = int(available_gib * 2**30)
        monkeypatch.setattr("evit_deploy.exporters.several._available_bytes", lambda size=available: size)
        assert processes_for(jobs) == expected
    large = [replace(job, spec=find_model("l3")) for job in jobs]
    monkeypatch.setattr("evit_deploy.exporters.several._available_bytes", lambda: 12 << 30)
    assert processes_for(large) == 1


def test_plain_jobs_can_be_sent_to_a_process() -> None:
    for exporter in PLAIN_EXPORTERS.values():
        for format in exporter.formats.values():
            assert pickle.loads(pickle.dumps(format)) is not None

"""One int8 export for all tests of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from evit_deploy.exporters.export import Exported, ExportJob, export
from evit_deploy.exporters.precision.calibration import shipped_calibration

Jobs = Callable[..., ExportJob]


@pytest.fixture(scope="session")
def int8_job(job_for: Jobs) -> Jobs:
    """A job calibrated on the default photographs; B0 at 64 in TFLite where nothing is said."""

    def make(
        model: str = "b0", size: tuple[int, int] = (64, 64), format: str = "tflite", **options: object
    ) -> ExportJob:
        job = job_for(model, format, size, precision="int8", **options)
        return replace(job, calibration=shipped_calibration())

    return make


@pytest.fixture(scope="session")
def made_int8(int8_job: Jobs) -> Exported:
    """Nobody may change the files."""
    return export(int8_job())


@pytest.fixture(scope="session")
def made_int8_onnx(int8_job: Jobs) -> Exported:
    """The same in ONNX."""
    return export(int8_job(format="onnx"))

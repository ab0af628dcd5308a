"""One int8 export for all tests of it, and one float32 graph that can be quantised by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from mixed_graphs import Float32

from evit_deploy.exporters.convert import converted
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.calibration import shipped_calibration
from evit_deploy.exporters.precision.int8_blocks import block_paths, operators_by_block
from evit_deploy.exporters.precision.mixed_graph import MixedGraph
from evit_deploy.exporters.reference import reference_of, reference_values
from evit_deploy.models.efficientvit import EfficientViT

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


@pytest.fixture(scope="session")
def float32_b0(int8_job: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Float32:
    """B0 at 64: the int8 export's graph before it is quantised."""
    job = int8_job()
    module, graph = reference_of(job), tmp_path_factory.mktemp("float32") / job.path.name
    made, _ = converted(job, module, reference_values(job), graph, lambda _: None)
    content, rewritten = graph.read_bytes(), made.module
    assert isinstance(module.model, EfficientViT)
    paths = block_paths(module.model)
    return Float32(job, content, rewritten, paths, operators_by_block(content, rewritten, paths))


@pytest.fixture(scope="session")
def mixed_b0(float32_b0: Float32) -> MixedGraph:
    """Whatever is measured on it once is known to all tests."""
    return float32_b0.mixed()

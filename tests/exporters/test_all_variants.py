"""Every model in both formats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.models.zoo import CLASSIFICATION, DETECTION, MODELS, ModelSpec
from evit_deploy.runtimes import open_runner

# Classifiers are exported at their published size.
SIZES = {
    "cityscapes": (256, 512),
    "ade20k": (256, 256),
    "sa-1b": (256, 256),
    "coco": (512, 512),
    "div2k": (128, 128),
}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "tflite"])
@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.short_name)
def test_exports(spec: ModelSpec, format: str, job_for: Callable[..., ExportJob]) -> None:
    size = spec.resolution if spec.task == CLASSIFICATION else SIZES[spec.dataset]
    job = job_for(spec.name, format, size)
    made = export(job)
    checks = {check.sample: check for check in made.report.checks}
    assert {"noise", "zeros", "negative", "large"} <= checks.keys()
    for check in checks.values():
        assert check.comparison.finite
        assert check.comparison.sqnr_db >= 100
    facts = made.manifest.graph
    assert facts.parameters == spec.parameters
    if format == "tflite":
        assert (facts.delegate_partitions, facts.delegated_ops) == (1, facts.total_ops)
    with open_runner(made.path) as runner:
        shape = runner.inputs[0].shape
        for value in (0.0, -1e4, 1e4):  # constant images, which the checks do not have
            (output,) = runner.run({"image": np.full(shape, value, np.float32)}).values()
            assert np.isfinite(output).all()
    assert output.ndim == {CLASSIFICATION: 2, DETECTION: 3}.get(spec.task, 4)

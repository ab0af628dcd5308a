"""B0 at 64 in float16, ours and as published, made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evit_deploy.exporters.export import ExportJob, export
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.plain import PLAIN_EXPORTERS, PLAIN_PIPELINE
from evit_deploy.models.weights import resolve_weights
from evit_deploy.models.zoo import find_model


@pytest.fixture(scope="package")
def job(tmp_path_factory: pytest.TempPathFactory) -> ExportJob:
    torch.set_num_threads(1)
    spec = find_model("b0")
    options = ExportOptions("tflite", (64, 64), precision="fp16").settled(spec)
    return ExportJob(spec, options, resolve_weights(spec, "random"), tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="package")
def ours(job: ExportJob) -> Path:
    return export(job).path


@pytest.fixture(scope="package")
def plain(job: ExportJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = PLAIN_EXPORTERS["torchscript"]
    options = replace(job.options, precision="fp32")
    output = tmp_path_factory.mktemp("plain")
    return export(
        replace(
            job,
            options=options,
            output=output,
            pipeline=PLAIN_PIPELINE,
            formats=chosen.formats,
            label=chosen.label,
        )
    ).path

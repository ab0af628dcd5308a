"""The published model with everything in int8, in TFLite: refused, for what it is; ONNX: `tests/cli`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.errors import Exit, ParityError
from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.plain import PLAIN_FORMATS, PLAIN_PIPELINE
from evit_deploy.exporters.precision.calibration import shipped_calibration


def test_tflite_cannot_even_run(job_for: Callable[..., ExportJob], tmp_path: Path) -> None:
    job = replace(
        job_for("b0", "tflite", (64, 64), precision="int8-full"),
        pipeline=PLAIN_PIPELINE,
        formats=PLAIN_FORMATS,
        label="plain",
        calibration=shipped_calibration(),
        output=tmp_path,
        keep_failed=True,
    )
    reason = r"it does not run \(tflite/kernels/div.cc:[^:]*\(DIV\) failed to invoke\) on 'photo-.* in litert"
    with pytest.raises(ParityError, match=reason) as caught:
        export(job)
    assert caught.value.code == Exit.PARITY
    kept = tmp_path / "efficientvit_b0-r64-int8-full-random-plain.failed.tflite"
    manifest = json.loads(kept.with_name(kept.name + ".json").read_text())
    assert not manifest["parity"]["passed"]
    assert manifest["quantization"]["operators"] == "all that the quantizer takes"
    assert manifest["graph"]["delegate_partitions"] > 10

"""`--precision fp16`: the file asks for float16 arithmetic, and only what survives it is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.errors import ParityError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.plain import PLAIN_PIPELINE
from evit_deploy.exporters.precision.attention_ranges import PRODUCTS_BELOW
from evit_deploy.exporters.precision.float16_compute import KEY, VALUE
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.rewrites.float16_order import NAME as CHANNEL_ORDER
from evit_deploy.exporters.tflite_metadata import embedded, read_model

Exports = Callable[..., tuple[ExportJob, Exported]]


@pytest.fixture
def made(exported: Exports) -> Exported:
    return exported("b0", "tflite", (64, 64), precision="fp16")[1]


def test_it_is_finite_and_close_on_everything_but_overflowing_inputs(made: Exported) -> None:
    samples = made.manifest.parity["samples"]
    assert made.manifest.parity["passed"]
    assert samples["large"]["judged"] is False
    for name in samples.keys() - {"large"}:
        assert samples[name]["finite"]
        # Were float16 not in force, it would be 100 dB and more.
        assert 40 < samples[name]["sqnr_db"] < 80, name


def test_the_file_asks_for_it_in_one_partition_and_half_the_size(made: Exported, exported: Exports) -> None:
    model = read_model(made.path.read_bytes())
    (entry,) = (entry for entry in model.metadata if entry.name == KEY)
    assert bytes(model.buffers[entry.buffer].data) == VALUE
    assert embedded(made.path.read_bytes()) is not None
    assert made.manifest.graph.delegate_partitions == 1
    float32 = exported("b0", "tflite", (64, 64), precision="fp32")[1]
    assert made.path.stat().st_size < 0.54 * float32.path.stat().st_size


def test_segmentation_is_in_one_partition_too(exported: Exports) -> None:
    """XNNPACK takes no matmul by a constant in float16: such a file would not even load."""
    made = exported("seg-b0-cityscapes", "tflite", (64, 64), precision="fp16")[1]
    assert made.manifest.parity["passed"]
    assert made.manifest.graph.delegate_partitions == 1
    assert made.manifest.parity["samples"]["noise"]["sqnr_db"] > 40


def test_channels_are_in_order(made: Exported) -> None:
    assert CHANNEL_ORDER in made.manifest.rewrites


def test_a_class_map_is_searched_for_the_modules_that_are_in_order(exported: Exports) -> None:
    """What is inside of the others has its channels elsewhere, and is no difference."""
    made = exported("seg-b0-cityscapes", "tflite", (64, 64), precision="fp16", head="argmax")[1]
    assert made.manifest.parity["passed"]
    assert CHANNEL_ORDER in made.manifest.rewrites


def test_what_the_attention_was_scaled_by_is_in_the_manifest(made: Exported) -> None:
    attention = made.manifest.quantization["attention"]
    assert len(attention) == 4  # of B0, two in each of two stages
    for scales in attention.values():
        for scale in scales:
            scaled = scale["largest"]["products"] * 2.0 ** -(scale["shift"]["query"] + scale["shift"]["key"])
            assert scaled <= PRODUCTS_BELOW


def test_it_can_be_verified_again(made: Exported) -> None:
    outcome = verify_artifact(made.path, weights=None, interpreter="auto", step=lambda _: None)
    assert outcome.wrong is None


def test_the_published_attention_is_refused(job_for: Callable[..., ExportJob], tmp_path: Path) -> None:
    """Its 1e-15 is zero in half precision: right in float32, not a number in float16."""
    job = job_for("b0", "tflite", (64, 64), precision="fp16")
    with pytest.raises(ParityError, match="has NaN or infinity in it on"):
        export(replace(job, output=tmp_path / "out", pipeline=PLAIN_PIPELINE))
    assert os.listdir(tmp_path) == []

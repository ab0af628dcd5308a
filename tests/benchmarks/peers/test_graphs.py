"""Which of a folder's files is whose, and what each has to be verified on."""

from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.peers.graphs import DYNAMO, HOST, OURS, PUBLISHED, _found
from evit_deploy.benchmarks.peers.run import Wanted, parse_wanted


def test_sources_and_samples_by_name(tmp_path: Path) -> None:
    stem = "efficientvit_b1-r224-fp32-random"
    names = (f"{stem}.onnx", f"{stem}.tflite", f"{stem}-plain.onnx", f"{stem}-plain.tflite")
    others = (f"{stem}-plain-dynamo.failed.onnx", "efficientvit_b1-r224-fp32-x86-64-random.onnx")
    for name in (*names, *others):
        (tmp_path / name).touch()
    found = {(graph.source, graph.format): graph for graph in _found(tmp_path)}
    formats = [(source, format) for source in (PUBLISHED, OURS) for format in ("onnx", "tflite")]
    assert list(found) == [*formats[:2], (DYNAMO, "onnx"), *formats[2:], (HOST, "onnx")]
    assert found[OURS, "tflite"].samples.name == f"{stem}.tflite.samples.npz"
    # What failed has no samples: the same inputs, from the other exporter of the same formulation.
    assert found[DYNAMO, "onnx"].samples == found[PUBLISHED, "onnx"].samples


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("b1@224", Wanted("b1", (224, 224))),
        ("seg-b1-cityscapes@512x1024", Wanted("seg-b1-cityscapes", (512, 1024))),
    ],
)
def test_model_and_size(text: str, wanted: Wanted) -> None:
    assert parse_wanted(text) == wanted

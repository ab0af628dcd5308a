"""The verdict, by the agent's own pass, on a right graph and on really wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from evit_deploy.benchmarks.peers.agent import prepare
from evit_deploy.benchmarks.peers.passes import verify_pass
from evit_deploy.benchmarks.peers.verdict import verdict_of
from evit_deploy.runtimes import open_runner


def samples_of(graph: Path, folder: Path) -> Path:
    """What the graph itself makes of two images, as a samples file."""
    images = [np.zeros((1, 3, 8, 8), np.float32), np.full((1, 3, 8, 8), 0.5, np.float32)]
    with open_runner(graph) as runner:
        outputs = [runner.run({"image": image})["logits"] for image in images]
    arrays: dict[str, Any] = {f"image-{n}": image for n, image in enumerate(images)}
    arrays |= {f"output-{n}": output for n, output in enumerate(outputs)}
    path = folder / "samples.npz"
    np.savez(path, names=np.array(["zeros", "grey"]), required_db=np.array([100.0, 100.0]), **arrays)
    return path


def verified(graph: Path, samples: Path) -> Mapping[str, Any]:
    job = {"engine": "onnxruntime", "graph": str(graph), "samples": str(samples), "threads": 1}
    job |= {"interpreter": "auto"}
    return verify_pass(job, prepare(job))


def spoilt(graph: Path, factor: float) -> Path:
    """The same graph with its weights multiplied."""
    model = onnx.load(str(graph))
    (weight,) = model.graph.initializer
    values = onnx.numpy_helper.to_array(weight) * np.float32(factor)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    path = graph.with_name("spoilt.onnx")
    path.write_bytes(model.SerializeToString())
    return path


def test_the_graph_itself_is_right(tiny_onnx: Path, tmp_path: Path) -> None:
    verdict = verdict_of(verified(tiny_onnx, samples_of(tiny_onnx, tmp_path)))
    assert verdict.right
    assert verdict.runtime["name"] == "onnxruntime"
    assert set(verdict.samples) == {"zeros", "grey"}


@pytest.mark.parametrize(
    ("factor", "why"),
    [(1.001, "dB on 'grey', 100.0 required"), (float("nan"), "NaN or infinity on 'zeros'")],
)
def test_another_graph_is_wrong(tiny_onnx: Path, tmp_path: Path, factor: float, why: str) -> None:
    samples = samples_of(tiny_onnx, tmp_path)
    verdict = verdict_of(verified(spoilt(tiny_onnx, factor), samples))
    assert not verdict.right
    assert verdict.wrong is not None
    assert why in verdict.wrong

"""A detector exported, and boxes from the graph itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.boxes import detections_of
from evit_deploy.errors import UserError
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.suppression import add_suppression
from evit_deploy.runtimes import open_runner

Make = Callable[..., "tuple[ExportJob, Exported]"]
LEAST, OVERLAP = 0.2, 0.5


def outputs_of(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    with open_runner(path) as runner:
        return dict(runner.run({"image": image}))


def test_the_graph_gives_what_the_function_gives(exported: Make, tmp_path: Path) -> None:
    path = exported("det-b0", "onnx")[1].path
    add_suppression(path, tmp_path / "nms.onnx", least_score=LEAST, overlap=OVERLAP, limit_per_class=1000)
    image = np.random.default_rng(7).standard_normal((1, 3, 64, 64)).astype(np.float32)
    raw = outputs_of(path, image)["detections"]
    expected = detections_of(raw, least_score=LEAST, overlap=OVERLAP, limit=100_000)
    got = outputs_of(tmp_path / "nms.onnx", image)
    assert len(expected) == len(got["scores"]) > 10
    order = np.lexsort((got["classes"], -got["scores"]))
    wanted = np.lexsort((expected.classes, -expected.scores))
    assert np.array_equal(got["classes"][order], expected.classes[wanted])
    assert np.allclose(got["scores"][order], expected.scores[wanted])
    assert np.allclose(got["boxes"][order], expected.boxes[wanted])


def test_the_artifact_says_what_it_gives(exported: Make) -> None:
    made = exported("det-b0", "onnx")[1]
    (output,) = made.manifest.outputs
    assert (output.name, output.shape, output.layout) == ("detections", (1, 84, 84), "NAC")
    assert made.manifest.task == "detection"
    assert verify_artifact(made.path, weights=None, interpreter="auto", step=lambda _: None).wrong is None


@pytest.mark.slow
def test_tflite_is_one_partition(exported: Make) -> None:
    assert exported("det-b0", "tflite")[1].manifest.graph.delegate_partitions == 1


def test_other_graphs_are_refused(tiny_onnx: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no detector of ours"):
        add_suppression(tiny_onnx, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()

"""An artifact answers the same through the agent; "local" is a device as any other here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accuracy_data import save_graph

from evit_deploy.artifact import TensorSpec, manifest_path, read_manifest, sha256_of, to_json
from evit_deploy.benchmarks.accuracy.on_device import MOST_IMAGES, How, images_a_launch, ready, subject_on
from evit_deploy.benchmarks.accuracy.subject import opened_artifact
from evit_deploy.devices import LocalDevice
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import RuntimeOptions

KINDS: Mapping[str, Mapping[str, Any]] = {
    "logits": {},
    "pixels-nhwc": {"layout": "NHWC", "in_graph": True, "dtype": "uint8", "task": "segmentation"},
    "class-map": {"head": "argmax", "task": "segmentation"},
}


class Watched(LocalDevice):
    """Keeps the jobs that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Mapping[str, Any]] = []

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        self.jobs.append(job)
        return super().run_agent(job)


class WithoutPython(LocalDevice):
    has_python = False


def images(count: int) -> list[np.ndarray]:
    return [np.random.default_rng(i).integers(0, 256, (8, 16, 3), dtype=np.uint8) for i in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_answers_to_the_bit(tmp_path: Path, kind: str) -> None:
    graph = save_graph(tmp_path / "g.onnx", size=(8, 16), **KINDS[kind])
    with ready(LocalDevice(), print) as device, opened_artifact(graph) as here:
        there = subject_on(device, graph, How())
        assert (there.name, there.task, there.size, there.crop) == (
            here.name,
            here.task,
            here.size,
            here.crop,
        )
        assert there.identity == here.identity
        # The second launch has fewer images, in the place of the first one's.
        for count in (3, 2):
            for one, other in zip(there.answers(images(count)), here.answers(images(count)), strict=True):
                assert one.dtype == other.dtype
                assert np.array_equal(one, other)


def test_a_launch_a_chunk_and_all_that_was_asked_for(tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "g.onnx", size=(8, 16))
    options = RuntimeOptions(ort_optimization="basic", xnnpack=False)
    with ready(Watched(), print) as device:
        assert isinstance(device, Watched)
        subject_on(device, graph, How(threads=1, cores="0", options=options)).answers(images(5))
    opening, answering = device.jobs
    assert (opening["images"], answering["images"]) == (0, 5)
    assert (answering["shape"], answering["dtype"]) == ([1, 3, 8, 16], "float32")
    for job in device.jobs:
        assert (job["mode"], job["threads"], job["cores"]) == ("answers", 1, "0")
        assert (job["interpreter"], job["options"]) == ("auto", {"ort_optimization": "basic"})


def test_chunks_are_bounded_by_images_and_by_bytes(tmp_path: Path) -> None:
    manifest = read_manifest(save_graph(tmp_path / "g.onnx"))
    assert manifest is not None
    assert images_a_launch(manifest) == MOST_IMAGES == 32
    logits = TensorSpec("out", (-1, 19, 128, 256), "NCHW", "float32")  # 2.5 MB
    pixels = TensorSpec("image", (-1, 3, 1024, 2048), "NCHW", "float32")  # 25 MB
    large = replace(manifest, inputs=(pixels,), outputs=(logits,))
    assert images_a_launch(large) == 2
    enormous = replace(pixels, shape=(1, 3, 4096, 4096))
    assert images_a_launch(replace(large, inputs=(enormous,))) == 1
    # A class map per pixel: what comes back is what is large.
    small, maps = replace(pixels, dtype="uint8", shape=(1, 3, 512, 512)), replace(logits, dtype="int64")
    assert images_a_launch(replace(large, inputs=(small,), outputs=(maps,))) == 64_000_000 // 5_767_168


def test_a_device_without_python_is_refused() -> None:
    with pytest.raises(UserError) as caught, ready(WithoutPython(), print):
        pass
    assert str(caught.value) == (
        "local: it has no Python, without which nothing can be evaluated there; put one on it, or name "
        "another --device"
    )
    assert caught.value.code == Exit.DEVICE


def test_what_the_runtime_there_refuses_is_said_before_the_first_image(tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "g.onnx")
    manifest = read_manifest(graph)
    assert manifest is not None
    graph.write_bytes(graph.read_bytes()[:-40])
    facts = replace(manifest.graph, sha256=sha256_of(graph))
    manifest_path(graph).write_bytes(to_json(replace(manifest, graph=facts).as_dict()))
    with ready(LocalDevice(), print) as device:
        with pytest.raises(UserError, match=f"^{graph}: cannot be loaded") as caught:
            subject_on(device, graph, How())
        assert caught.value.code == Exit.ARTIFACT_UNREADABLE

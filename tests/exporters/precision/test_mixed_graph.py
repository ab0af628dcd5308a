"""Some blocks in int8, the others in float32: which operators change, on which images it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mixed_graphs import Float32

from evit_deploy.artifact import Manifest, read_manifest, to_json
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.formats import FORMATS, Format
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.int8_tflite import quantize_tflite
from evit_deploy.exporters.precision.mixed_graph import MixedGraph, Split, split_images
from evit_deploy.exporters.precision.mixed_search import fewest_in_float32, measure_alone, ranked
from evit_deploy.exporters.precision.quantization import calibration_inputs
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.tflite_metadata import embedded, read_model, with_note, write_model
from evit_deploy.runtimes import delegation_of

SPOILT = "backbone.stages.1.op_list.0"  # of random weights a less sensitive one
INT8 = 9  # of the format's TensorType
WEIGHT = 1  # the input that holds it


def in_int8(content: bytes, blocks: dict[str, tuple[str, ...]]) -> set[str]:
    """Blocks all of whose operators have int8 weights; none may have some."""
    model = read_model(content)
    (graph,) = model.subgraphs
    types = {
        graph.tensors[o.outputs[0]].name.decode(): graph.tensors[o.inputs[WEIGHT]].type
        for o in graph.operators
        if len(o.inputs) > WEIGHT
    }
    # The quantizer names what is dequantised as it was before, and what is int8 with an ending.
    found = {}
    for path, names in blocks.items():
        kinds = {types.get(f"{name}_quantized", types.get(name)) == INT8 for name in names}
        assert len(kinds) == 1, path
        found[path] = kinds.pop()
    return {path for path, is_int8 in found.items() if is_int8}


def test_all_in_int8_is_the_int8_export(float32_b0: Float32, mixed_b0: MixedGraph) -> None:
    inputs = calibration_inputs(float32_b0.job.calibration, float32_b0.job.options)
    assert mixed_b0.quantized(()) == quantize_tflite(float32_b0.content, inputs)


@pytest.mark.parametrize("alone", ["backbone.stages.2.op_list.2.context_module", "head.op_list.3"])
def test_one_block_alone_is_in_int8(alone: str, mixed_b0: MixedGraph, tmp_path: Path) -> None:
    content = mixed_b0.quantized(set(mixed_b0.blocks) - {alone})
    assert in_int8(content, dict(mixed_b0.blocks)) == {alone}
    path = tmp_path / "alone.tflite"
    path.write_bytes(content)
    assert delegation_of(path).partitions == 1


def test_one_block_alone_is_in_float32(mixed_b0: MixedGraph) -> None:
    content = mixed_b0.quantized([SPOILT])
    assert in_int8(content, dict(mixed_b0.blocks)) == set(mixed_b0.blocks) - {SPOILT}


def spoilt(float32: Float32) -> bytes:
    """One channel of the block's middle is 1000 times larger, and the block looks at it a 1000 times less.

    The function is nearly the same; in int8 that channel leaves no steps for the others.
    """
    model = read_model(float32.content)
    (graph,) = model.subgraphs
    expansion, depthwise, _ = float32.blocks[SPOILT]
    for name, axis, factor in ((expansion, 0, 1e3), (depthwise, -1, 1e-3)):
        (operator,) = (o for o in graph.operators if graph.tensors[o.outputs[0]].name == name.encode())
        tensor = graph.tensors[operator.inputs[WEIGHT]]
        weight = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.float32)
        scaled = weight.reshape(tensor.shape).copy()
        np.moveaxis(scaled, axis, 0)[5] *= np.float32(factor)
        model.buffers[tensor.buffer].data = scaled.ravel().view(np.uint8)
    return write_model(model)


def test_a_spoilt_block_is_the_most_sensitive_and_the_one_that_stays(
    float32_b0: Float32, mixed_b0: MixedGraph
) -> None:
    """And spoils as much by itself as all others do together."""
    healthy_db = mixed_b0.measure(()).sqnr_db
    graph = float32_b0.mixed(spoilt(float32_b0))
    assert graph.measure(()).sqnr_db < healthy_db - 5
    alone = measure_alone(graph, lambda _: None)
    assert ranked(alone)[0] == SPOILT
    assert fewest_in_float32(graph, healthy_db - 1, lambda _: None).float32 == (SPOILT,)


def test_few_images_are_for_both() -> None:
    assert split_images(2) == Split((0, 1), (0, 1))
    assert not split_images(7).held_out


def test_of_more_images_every_fourth_is_held_out() -> None:
    split = split_images(9)
    assert split == Split((0, 1, 2, 4, 5, 6, 8), (3, 7))
    assert split.held_out
    assert "2 images that are not calibrated on" in str(split)
    many = split_images(1000)
    assert len(many.measured) == 32
    assert len(many.calibrated) == 968


def test_ranges_are_not_taken_of_images_that_are_held_out(float32_b0: Float32) -> None:
    noise = [np.random.default_rng(i).standard_normal((1, 64, 64, 3)).astype(np.float32) for i in range(8)]
    split = split_images(len(noise))
    first = MixedGraph(float32_b0.content, float32_b0.blocks, noise, split)
    larger = [10 * x if i in split.measured else x for i, x in enumerate(noise)]
    second = MixedGraph(float32_b0.content, float32_b0.blocks, larger, split)
    assert first.quantized(()) == second.quantized(())
    assert second.measure(()).sqnr_db < first.measure(()).sqnr_db


MixedJob = Callable[[float], ExportJob]


@pytest.fixture(scope="module")
def mixed_job(float32_b0: Float32, int8_job: Callable[..., ExportJob]) -> MixedJob:
    """An export that finds its graph converted."""

    def convert(_module: object, _example: object, _options: object, _name: str, manifest: Manifest) -> bytes:
        return with_note(float32_b0.content, to_json(manifest.essentials()))

    def make(least_db: float) -> ExportJob:
        formats = {"tflite": Format(convert, FORMATS["tflite"].count)}
        return replace(int8_job(min_sqnr_db=least_db), formats=formats)

    return make


@pytest.fixture(scope="module")
def made_mixed(mixed_job: MixedJob) -> Exported:
    return export(mixed_job(40))


def test_an_export_comes_as_close_as_is_asked(made_mixed: Exported) -> None:
    made = made_mixed
    manifest = read_manifest(made.path)
    assert manifest == made.manifest
    assert manifest is not None
    assert made.path.name == "efficientvit_b0-r64-int8-sqnr40-random.tflite"
    mixed = manifest.quantization["mixed"]
    assert mixed["sqnr_db"] >= mixed["min_sqnr_db"] == 40
    assert 0 < len(mixed["float32_blocks"]) < len(mixed["int8_blocks"])
    assert manifest.graph.delegate_partitions == 1
    assert manifest.parity["samples"]["photo-china"]["sqnr_db"] > 38
    content = embedded(made.path.read_bytes())
    assert content is not None
    assert b'"float32_blocks"' in content
    assert verify_artifact(made.path, weights=None, interpreter="auto", step=lambda _: None).wrong is None


def test_a_second_search_finds_the_same_and_gives_the_same_bytes(
    made_mixed: Exported, mixed_b0: MixedGraph
) -> None:
    """That of the export had a graph of its own."""
    again = fewest_in_float32(mixed_b0, 40, lambda _: None)
    mixed = made_mixed.manifest.quantization["mixed"]
    assert list(again.float32) == mixed["float32_blocks"]
    assert round(again.sqnr_db, 2) == mixed["sqnr_db"]
    note = embedded(made_mixed.path.read_bytes())
    assert note is not None
    assert made_mixed.path.read_bytes() == with_note(mixed_b0.quantized(again.float32), note)


def test_where_int8_is_close_enough_nothing_else_is_measured(mixed_job: MixedJob) -> None:
    said: list[str] = []
    made = export(mixed_job(25), said.append)
    assert made.manifest.quantization["mixed"]["float32_blocks"] == []
    (step,) = [step for step in said if "in int8" in step]
    assert step.startswith("everything in int8: 33.")

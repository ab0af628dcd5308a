"""`--calibration-method`: narrower ranges in both formats, and a name and a manifest that say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from mixed_graphs import Float32
from onnx import numpy_helper

from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.int8_tflite import ranges_of
from evit_deploy.exporters.precision.mixed_graph import MixedGraph, split_images
from evit_deploy.exporters.precision.quantization import calibration_inputs
from evit_deploy.exporters.precision.range_methods import RangeMethod

Jobs = Callable[..., ExportJob]
PERCENTILE = RangeMethod("percentile", 99.0)


@pytest.mark.parametrize("method", [PERCENTILE, RangeMethod("entropy")])
def test_ranges_in_tflite_lie_within_those_of_all_values(method: RangeMethod, float32_b0: Float32) -> None:
    inputs = calibration_inputs(float32_b0.job.calibration, float32_b0.job.options)
    whole = ranges_of(float32_b0.content, inputs)
    narrow = ranges_of(float32_b0.content, inputs, method)
    assert list(narrow) == list(whole)
    changed = 0
    for name, all_values in whole.items():
        assert np.all(narrow[name]["min"] >= np.minimum(all_values["min"], 0)), name
        assert np.all(narrow[name]["max"] <= np.maximum(all_values["max"], 0)), name
        changed += bool(np.any(narrow[name]["max"] < all_values["max"]))
    assert changed > len(whole) / 4


def test_blocks_are_judged_with_the_method_that_was_asked_for(
    float32_b0: Float32, mixed_b0: MixedGraph
) -> None:
    inputs = calibration_inputs(float32_b0.job.calibration, float32_b0.job.options)
    graph = MixedGraph(float32_b0.content, float32_b0.blocks, inputs, split_images(2), PERCENTILE)
    assert graph.measure(()).sqnr_db != mixed_b0.measure(()).sqnr_db


def scales(path: Path) -> dict[str, float]:
    """Of activations in an ONNX file, by tensor."""
    model = onnx.load(path)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    quantised = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    return {node.input[0]: float(constants[node.input[1]]) for node in quantised}


def test_an_onnx_export_says_how_its_ranges_were_taken(int8_job: Jobs, made_int8_onnx: Exported) -> None:
    made = export(int8_job(format="onnx", calibration_method="percentile", percentile=99.9))
    assert made.path.name == "efficientvit_b0-r64-int8-percentile99.9-random.onnx"
    assert made.manifest.quantization["ranges"] == "percentile 99.9"
    assert made.manifest.options["percentile"] == 99.9
    whole, narrow = scales(made_int8_onnx.path), scales(made.path)
    assert narrow.keys() == whole.keys()
    assert all(narrow[name] <= whole[name] * 1.0001 for name in whole)
    assert sum(narrow[name] < whole[name] for name in whole) > len(whole) / 2


def test_a_tflite_export_says_how_its_ranges_were_taken(int8_job: Jobs, made_int8: Exported) -> None:
    made = export(int8_job(calibration_method="percentile"))
    assert made.path.name == "efficientvit_b0-r64-int8-percentile99.99-random.tflite"
    assert made.manifest.quantization["ranges"] == "percentile 99.99"
    assert made_int8.manifest.quantization["ranges"] == "minmax"
    assert "calibration_method" not in made_int8.manifest.options

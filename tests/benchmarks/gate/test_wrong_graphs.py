"""Everything that must turn the gate red, put into real exports; and that it says what it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from ai_edge_quantizer import quantizer, recipe
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from evit_deploy.artifact import Manifest
from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.exporters.formats import FORMATS, Format
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.plain import PLAIN_PIPELINE
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.rewrites import EXPORT_PIPELINE

Made = Callable[..., Path]
Altered = Callable[[Path, bytes], Path]
Found = Callable[[Path, Path], dict[str, Check]]

STEPS = {step.name: step for step in EXPORT_PIPELINE}
NAMES = ("batch-norm-fold", "linear-attention-matmul", "bicubic-upsample-matmul")
BATCH_NORM, ATTENTION, BICUBIC = (STEPS[name] for name in NAMES)
SEG = "seg-b0-cityscapes"


def test_exported_twice_is_green(made: Made, found: Found) -> None:
    assert found(made("b0", "onnx", 64), made("b0", "onnx", 64, "again")) == {}
    assert found(made("b0", "tflite", 128), made("b0", "tflite", 128, "again")) == {}


def test_padding_with_ones_breaks_the_partition(made: Made, found: Found) -> None:
    published = (BATCH_NORM, *PLAIN_PIPELINE, BICUBIC)
    wrong = found(made("b0", "tflite", 128), made("b0", "tflite", 128, "ones", pipeline=published))
    partitions = wrong["partitions"]
    assert partitions.status is Status.WORSE
    assert (partitions.baseline, partitions.candidate) == (1, 3)
    assert partitions.causes[0].startswith("breaks at PADV2 in backbone.2.")
    assert "+2 PADV2 (backbone.stages.2: +2)" in wrong["operators"].causes
    assert "rewrite linear-attention-matmul is no longer applied" in wrong["operators"].causes


def test_bicubic_by_resize(made: Made, found: Found) -> None:
    wrong = found(made(SEG, "onnx", 64), made(SEG, "onnx", 64, "resize", pipeline=(BATCH_NORM, ATTENTION)))
    assert wrong["operators"].status is Status.CHANGED
    assert "+2 Resize (head: +2)" in wrong["operators"].causes
    assert "rewrite bicubic-upsample-matmul is no longer applied" in wrong["operators"].causes


def test_a_pair_of_transposes(made: Made, altered: Altered, found: Found) -> None:
    path = made("b0", "onnx", 64)
    wrong = found(path, altered(path, transposed_twice(onnx.load(str(path)))))
    assert wrong.keys() == {"operators", "transposes"}
    assert wrong["transposes"].status is Status.WORSE
    assert wrong["transposes"].causes == wrong["operators"].causes
    assert wrong["operators"].causes == ("+2 Transpose (backbone.input_stem: +2)",)


def transposed_twice(model: onnx.ModelProto) -> bytes:
    """Channels last and back, behind the first convolution of the second module of the stem."""
    conv = next(n for n in model.graph.node if n.op_type == "Conv" and "input_stem" in n.name)
    place = list(model.graph.node).index(conv)
    name, inner, outer = conv.output[0], "inner", "outer"
    conv.output[0] = outer
    scope = conv.name.rpartition("/")[0]
    there = helper.make_node("Transpose", [outer], [inner], name=f"{scope}/There", perm=[0, 2, 3, 1])
    back = helper.make_node("Transpose", [inner], [name], name=f"{scope}/Back", perm=[0, 3, 1, 2])
    for offset, node in enumerate((there, back), start=1):
        model.graph.node.insert(place + offset, node)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_batch_norm_that_the_exporter_folds_for_itself(made: Made, found: Found) -> None:
    """The converters fold it, too, so the operators stay the same; that the rewrite is gone does not."""
    wrong = found(made("b0", "onnx", 64), made("b0", "onnx", 64, "no fold", pipeline=(ATTENTION, BICUBIC)))
    assert wrong.keys() == {"operators"}
    assert wrong["operators"].causes == ("rewrite batch-norm-fold is no longer applied",)


def test_batch_norm_that_nobody_folds(made: Made, found: Found) -> None:
    unfolded = {"onnx": Format(_with_batch_norm, FORMATS["onnx"].count)}
    path = made("b0", "onnx", 64, "norm", pipeline=(ATTENTION, BICUBIC), formats=unfolded)
    wrong = found(made("b0", "onnx", 64), path)
    assert any("BatchNormalization" in cause for cause in wrong["operators"].causes)
    assert wrong["parameters"].status is Status.CHANGED


def _with_batch_norm(
    module: nn.Module, example: Tensor, options: ExportOptions, output_name: str, manifest: Manifest
) -> bytes:
    """As torch's older exporter writes it where it is told to fold nothing."""
    content = io.BytesIO()
    with conversion("ONNX"):
        torch.onnx.export(
            module,
            (example,),
            content,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=["image"],
            output_names=[output_name],
        )
    return content.getvalue()


def test_int8_where_float32_was(made: Made, altered: Altered, found: Found, tmp_path: Path) -> None:
    path, quantized = made("b0", "onnx", 64), tmp_path / "quantized.onnx"
    kinds = {"weight_type": QuantType.QInt8, "op_types_to_quantize": ["MatMul", "Gemm"]}
    quantize_dynamic(path, quantized, **kinds)
    wrong = found(path, altered(path, quantized.read_bytes()))
    assert wrong["precision"].status is Status.CHANGED
    assert wrong["precision"].summary.startswith("weights were float32, are int8+float32")
    assert any(cause.endswith("int8 values") for cause in wrong["precision"].causes)
    assert wrong["parity"].status is Status.WORSE
    assert wrong["size"].status is Status.BETTER


def test_int8_where_float32_was_in_tflite(made: Made, altered: Altered, found: Found) -> None:
    """Also: whoever quantises a file loses what is written inside it, and the gate goes on without."""
    path = made("b0", "tflite", 128)
    work = quantizer.Quantizer(str(path))
    work.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    wrong = found(path, altered(path, bytes(work.quantize().quantized_model)))
    assert wrong["precision"].summary == "weights were float32, are int8"
    assert wrong["size"].status is Status.BETTER
    assert "parameters" not in wrong  # as many as before, of another type
    assert wrong["parity"].status is Status.WORSE
    assert wrong["partitions"].status is Status.WORSE


def test_one_layer_of_wrong_weights(made: Made, altered: Altered, found: Found) -> None:
    """By about 1 %, in the format that keeps names."""
    path = made("b0", "onnx", 64)
    model = onnx.load(str(path))
    weights = [i for i in model.graph.initializer if len(i.dims) == 4]
    weight = numpy_helper.to_array(weights[len(weights) // 2])
    factor = 1 + 0.01 * np.cos(np.arange(weight.size)).reshape(weight.shape)
    weights[len(weights) // 2].CopyFrom(
        numpy_helper.from_array((weight * factor).astype(np.float32), weights[len(weights) // 2].name)
    )
    wrong = found(path, altered(path, model.SerializeToString()))
    assert wrong.keys() == {"parity"}
    assert wrong["parity"].status is Status.WORSE
    assert "computes something else than its reference" in wrong["parity"].causes[0]


def test_another_input_size(made: Made, found: Found) -> None:
    wrong = found(made("b0", "onnx", 64), made("b0", "onnx", 96))
    assert wrong["signature"].causes == ("input image: float32 1x3x64x64 NCHW -> float32 1x3x96x96 NCHW",)
    assert wrong["macs"].status is Status.WORSE

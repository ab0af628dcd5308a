"""What is exported computes what was asked for, says so, and a wrong graph is never published."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.artifact import EMBEDDED_KEY, check_path, manifest_path, read_manifest, sha256_of, to_json
from evit_deploy.errors import Exit, ParityError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import NO_TARGET
from evit_deploy.exporters.rewrites import EXPORT_PIPELINE, Rewrite
from evit_deploy.exporters.rewrites.bicubic_upsample import rewrite_bilinear
from evit_deploy.exporters.rewrites.linear_attention import MatmulLiteMLA
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.exporters.tflite_metadata import embedded
from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import UpsampleLayer
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import open_runner

Exports = Callable[..., tuple[ExportJob, Exported]]
REPOSITORY = Path(__file__).parents[2]
SEG = "seg-b0-cityscapes"
WIDE = (64, 96)  # which axis is which matters

CASES: dict[str, tuple[str, str, tuple[int, int], dict[str, object]]] = {
    "onnx": ("b0", "onnx", (64, 64), {}),
    "onnx dynamic": ("b0", "onnx", (64, 64), {"dynamic_batch": True}),
    "onnx nhwc dynamic": ("b0", "onnx", WIDE, {"layout": "nhwc", "dynamic_batch": True}),
    "onnx pixels": ("b0", "onnx", WIDE, {"preprocess": True}),
    "onnx seg": (SEG, "onnx", (64, 64), {}),
    "onnx seg upsample": (SEG, "onnx", WIDE, {"head": "upsample", "layout": "nhwc", "dynamic_batch": True}),
    "onnx seg argmax pixels": (SEG, "onnx", WIDE, {"head": "argmax", "preprocess": True}),
    "onnx seg argmax at logits": (SEG, "onnx", (64, 64), {"head": "argmax", "argmax_at": "logits"}),
    "onnx seg bilinear": (SEG, "onnx", WIDE, {"upsample": "bilinear", "head": "upsample"}),
    "tflite": ("b0", "tflite", (64, 64), {}),
    "tflite nchw": ("b0", "tflite", WIDE, {"layout": "nchw"}),
    "tflite pixels": ("b0", "tflite", WIDE, {"preprocess": True}),
    "tflite seg": (SEG, "tflite", (64, 64), {}),
    "tflite seg upsample": (SEG, "tflite", WIDE, {"head": "upsample", "layout": "nchw"}),
    "tflite seg argmax pixels": (SEG, "tflite", WIDE, {"head": "argmax", "preprocess": True}),
    "tflite seg argmax at logits": (SEG, "tflite", (64, 64), {"head": "argmax", "argmax_at": "logits"}),
    "tflite seg bilinear": (SEG, "tflite", WIDE, {"upsample": "bilinear", "head": "upsample"}),
}
FORMATS = ["onnx", "tflite"]
RARE = ("seg bilinear", "seg argmax at logits")  # their rewrites have tests of their own
CASE_NAMES = [pytest.param(n, marks=pytest.mark.slow) if n.endswith(RARE) else n for n in CASES]


def case_of(name: str, exported: Exports) -> tuple[ExportJob, Exported]:
    model, format, resolution, options = CASES[name]
    return exported(model, format, resolution, **options)


def pixels(batch: int, height: int, width: int) -> Tensor:
    """(B, 3, H, W) in 0 ... 255."""
    return torch.from_numpy(np.random.default_rng(7).integers(0, 256, (batch, 3, height, width), np.uint8))


def normalised(image: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> float64."""
    mean, std = (torch.tensor(v, dtype=torch.float64).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (image.double() / 255 - mean) / std


def as_fed(image: Tensor, job: ExportJob) -> np.ndarray:
    """The same pictures as this graph wants them."""
    value = image if job.options.preprocess else normalised(image).float()
    return (
        value.numpy()
        if job.options.input_layout == "NCHW"
        else value.permute(0, 2, 3, 1).contiguous().numpy()
    )


def wanted(image: Tensor, job: ExportJob) -> np.ndarray:
    """What the published model makes of it in float64, and its ends by hand."""
    model = create_model(job.spec.name).double()
    mode = job.options.upsample

    def resize(x: Tensor, factor: int) -> Tensor:
        return functional.interpolate(x, scale_factor=factor, mode=mode, align_corners=False)

    for module in model.modules():
        if isinstance(module, UpsampleLayer):
            module.forward = lambda x, factor=module.factor: resize(x, factor)
    out = model(normalised(image))
    if job.options.head == "upsample" or (job.options.head == "argmax" and job.options.argmax_at == "input"):
        out = resize(out, 8)
    if job.options.head == "argmax":
        return out.argmax(1).numpy()
    if out.ndim == 4 and job.options.input_layout == "NHWC":
        out = out.permute(0, 2, 3, 1)
    return out.numpy()


@pytest.mark.parametrize("name", CASE_NAMES)
def test_computes_what_pytorch_computes(name: str, exported: Exports) -> None:
    job, made = case_of(name, exported)
    for batch in (1, 2, 5) if job.options.dynamic_batch else (1,):
        image = pixels(batch, *job.options.resolution)
        with open_runner(made.path) as runner:
            (output,) = runner.run({"image": as_fed(image, job)}).values()
            (other,) = runner.run({"image": as_fed(image.flip(3), job)}).values()
        reference = wanted(image, job)
        if job.options.head == "argmax":
            assert output.dtype == np.int32
            assert compare_outputs(reference, output, class_axis=None).agreement > 0.999
            assert compare_outputs(reference, other, class_axis=None).agreement < 0.95  # the control
        else:
            assert compare_outputs(reference, output).sqnr_db > 100
            assert compare_outputs(reference, other).sqnr_db < 60  # the control


@pytest.mark.parametrize("name", CASE_NAMES)
def test_the_manifest_says_what_it_is(name: str, exported: Exports) -> None:
    job, made = case_of(name, exported)
    options = job.options
    manifest = read_manifest(made.path)
    assert manifest is not None
    assert to_json(manifest.as_dict()) == to_json(made.manifest.as_dict())
    with open_runner(made.path) as runner:
        for described, actual in zip(
            (*manifest.inputs, *manifest.outputs), (*runner.inputs, *runner.outputs), strict=True
        ):
            assert (described.name, described.shape, described.dtype) == (
                actual.name,
                actual.shape,
                actual.dtype,
            )
    (image,), (result,) = manifest.inputs, manifest.outputs
    assert (image.name, result.name) == ("image", "classes" if options.head == "argmax" else "logits")
    assert image.shape[image.layout.index("C")] == 3
    assert (image.shape[image.layout.index("H")], image.shape[image.layout.index("W")]) == options.resolution
    assert (image.shape[0] == -1) == options.dynamic_batch
    assert image.dtype == ("uint8" if options.preprocess else "float32")
    assert manifest.preprocessing.in_graph == options.preprocess
    assert ("bilinear-upsample" in manifest.rewrites) == (options.upsample == "bilinear")
    assert ("bilinear" in made.path.name) == (options.upsample == "bilinear")
    assert manifest.options["upsample"] == options.upsample
    assert manifest.weights.source == "random"
    assert "random" in made.path.name
    assert manifest.parity["passed"]
    assert all(sample["finite"] for sample in manifest.parity["samples"].values())
    assert manifest.graph.sha256 == sha256_of(made.path)
    assert manifest.graph.size_bytes == made.path.stat().st_size


@pytest.mark.parametrize("name", CASE_NAMES)
def test_the_graph_says_it_too(name: str, exported: Exports) -> None:
    job, made = case_of(name, exported)
    content = made.path.read_bytes()
    if job.options.format == "onnx":
        import onnx

        (note,) = onnx.load_from_string(content).metadata_props
        inside = {EMBEDDED_KEY: json.loads(note.value)}[note.key]
    else:
        inside = json.loads(embedded(content) or b"")
    assert inside == json.loads(json.dumps(made.manifest.essentials()))


@pytest.mark.parametrize("name", CASE_NAMES)
def test_no_trace_of_this_machine(name: str, exported: Exports) -> None:
    _, made = case_of(name, exported)
    for path in (made.path, manifest_path(made.path)):
        content = path.read_bytes()
        for trace in (str(REPOSITORY), "site-packages", str(Path.home()), tempfile.gettempdir(), ".py"):
            assert trace.encode() not in content, (path.name, trace)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("tflite")])
def test_xnnpack_takes_all_of_it_in_one_part(name: str, exported: Exports) -> None:
    job, made = case_of(name, exported)
    facts = made.manifest.graph
    assert facts.delegate_partitions == 1
    # Class indices and pixels are not XNNPACK's; what lies between them is.
    ends = {"ARG_MAX": 1, "CAST": 1} if job.options.head == "argmax" or job.options.preprocess else {}
    left = (facts.total_ops or 0) - (facts.delegated_ops or 0)
    assert left <= sum(facts.op_histogram.get(op, 0) for op in ends)
    assert not {"PADV2", "GATHER_ND", "GATHER"} & facts.op_histogram.keys()


ARITHMETIC = {"Pad", "Expand", "Shape", "ConstantOfShape", "Gather", "BatchNormalization", "Unsqueeze"}
ONNX_CASES = [name for name in CASES if name.startswith("onnx")]


@pytest.mark.parametrize("name", ONNX_CASES)
def test_no_shape_arithmetic(name: str, exported: Exports) -> None:
    model, format, resolution, options = CASES[name]
    _, made = exported(model, format, resolution, **options, target=NO_TARGET)
    unwanted = ARITHMETIC if "bilinear" in name else {*ARITHMETIC, "Resize"}
    assert not unwanted & made.manifest.graph.op_histogram.keys()


@pytest.mark.parametrize("name", ONNX_CASES)
def test_formulations_gather_and_pad_by_constants(name: str, exported: Exports) -> None:
    _, made = case_of(name, exported)
    graph = onnx.load(str(made.path)).graph
    moving = [node for node in graph.node if node.op_type in ("Gather", "Pad")]
    constants = {tensor.name for tensor in graph.initializer}
    assert moving
    assert all(set(filter(None, node.input[1:])) <= constants for node in moving)
    unwanted = ARITHMETIC - {"Gather", "Pad"} | (set() if "bilinear" in name else {"Resize"})
    assert not unwanted & made.manifest.graph.op_histogram.keys()


@pytest.mark.parametrize("format", FORMATS)
def test_an_artifact_is_three_files(format: str, exported: Exports) -> None:
    job, made = exported("b0", format)
    names = {path.name for path in (made.path, manifest_path(made.path), check_path(made.path))}
    assert set(os.listdir(job.output)) == names


@pytest.mark.parametrize("format", FORMATS)
def test_the_check_file_holds_for_the_graph(format: str, exported: Exports) -> None:
    _, made = exported(SEG, format)
    stored = np.load(check_path(made.path), allow_pickle=False)
    with open_runner(made.path) as runner:
        (output,) = runner.run({"image": stored["image"] * stored["image_scale"]}).values()
    assert compare_outputs(stored["output"], output.ravel(), class_axis=None).sqnr_db > 100
    assert compare_outputs(stored["output"], output.ravel()[::-1], class_axis=None).sqnr_db < 20


# --- wrong graphs ---


class WithoutDenominator(MatmulLiteMLA):
    def attend(self, qkv: Tensor) -> Tensor:
        heads = qkv.reshape(-1, self.heads, 3 * self.dim, self.height * self.width)
        q, k, v = torch.split(heads, self.dim, dim=2)
        out = (v @ k.relu().transpose(-1, -2)) @ q.relu()
        return out.reshape(-1, self.heads * self.dim, self.height, self.width)


def _attention_without_denominator(model: nn.Module, shapes: InputShapes) -> int:
    return replace_modules(
        model, LiteMLA, lambda path, module: WithoutDenominator(module, *shapes[path][-2:])
    )


def _stem_off_by_one_percent(model: nn.Module, _shapes: InputShapes) -> int:
    with torch.no_grad():
        model.get_parameter("model.backbone.input_stem.op_list.0.conv.weight")[0] *= 1.01
    return 1


# What takes the place of a step of the pipeline, and the module that is to be named.
WRONG = {
    "onnx": ("b0", 1, _attention_without_denominator, "backbone.stages.2.op_list.1.context_module.main"),
    "tflite": (SEG, 3, lambda model, _: rewrite_bilinear(model, {}), "head.input_ops.0.op_list.1"),
}


def wrong_job(format: str, job_for: Callable[..., ExportJob], tmp_path: Path) -> tuple[ExportJob, str]:
    model, index, step, module = WRONG[format]
    pipeline = [*EXPORT_PIPELINE]
    pipeline[index] = Rewrite(pipeline[index].name, step)
    job = job_for(model, format, (64, 64))
    return replace(job, output=tmp_path / "out" / "deep", pipeline=tuple(pipeline)), module


@pytest.mark.parametrize("format", FORMATS)
def test_a_wrong_rewrite_is_refused_and_leaves_nothing(
    format: str, job_for: Callable[..., ExportJob], tmp_path: Path
) -> None:
    job, module = wrong_job(format, job_for, tmp_path)
    with pytest.raises(ParityError, match=f"the first module that differs is '{module}' ") as caught:
        export(job)
    assert caught.value.code == Exit.PARITY
    assert "--keep-failed keeps the file" in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_wrong_graph_is_kept_under_another_name_where_asked(
    job_for: Callable[..., ExportJob], tmp_path: Path
) -> None:
    job, _ = wrong_job("onnx", job_for, tmp_path)
    with pytest.raises(ParityError, match=r"kept as '.*\.failed\.onnx'"):
        export(replace(job, keep_failed=True))
    failed = job.output / f"{job.name}.failed.onnx"
    assert set(os.listdir(job.output)) == {failed.name, manifest_path(failed).name}
    manifest = read_manifest(failed)
    assert manifest is not None
    assert not manifest.parity["passed"]
    assert manifest.graph.sha256 == sha256_of(failed)


def test_a_wrong_graph_that_gives_the_same_classes_is_refused_too(
    job_for: Callable[..., ExportJob], tmp_path: Path
) -> None:
    job = job_for(SEG, "onnx", (64, 64), head="argmax", argmax_at="logits")
    wrong = Rewrite("wrong", _stem_off_by_one_percent)
    with pytest.raises(
        ParityError, match=r"the first module that differs is 'backbone.input_stem.op_list.0' "
    ):
        export(replace(job, output=tmp_path / "out", pipeline=(*EXPORT_PIPELINE, wrong)))
    assert os.listdir(tmp_path) == []


def test_an_older_artifact_survives_a_failed_export(
    exported: Exports, job_for: Callable[..., ExportJob], tmp_path: Path
) -> None:
    job, _ = wrong_job("onnx", job_for, tmp_path)
    job.output.mkdir(parents=True)
    job.path.write_bytes(b"older")
    convert = job.formats["onnx"]

    def fail(*_: object) -> bytes:
        raise ParityError("as asked")

    broken = replace(job, formats={"onnx": replace(convert, convert=fail)})
    with pytest.raises(ParityError, match="as asked"):
        export(broken)
    assert (os.listdir(job.output), job.path.read_bytes()) == ([job.path.name], b"older")


def test_the_reference_of_a_job_is_not_changed_by_its_export(exported: Exports) -> None:
    job, _ = exported("b0", "onnx")
    fresh = copy.deepcopy(create_model("b0").state_dict())
    assert all(torch.equal(value, fresh[key]) for key, value in job.weights.state_dict.items())

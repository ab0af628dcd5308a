from __future__ import annotations

import pytest

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.options import ExportOptions, artifact_name
from evit_deploy.models.zoo import find_model

B0 = find_model("b0")
SEG = find_model("seg-b0-cityscapes")
EDGENEXT = find_model("edgenext-small")


def settled(format: str = "onnx", model: str = "seg-b0-cityscapes", **options: object) -> ExportOptions:
    return ExportOptions(format, (64, 96), **options).settled(find_model(model))


@pytest.mark.parametrize(("format", "layout"), [("onnx", "NCHW"), ("tflite", "NHWC")])
def test_each_format_has_its_own_layout(format: str, layout: str) -> None:
    assert settled(format).input_layout == layout
    assert ExportOptions(format, (64, 64)).input_layout == layout


def test_pixels_are_always_nhwc() -> None:
    assert settled("onnx", preprocess=True).input_layout == "NHWC"
    assert settled("onnx", preprocess=True, layout="nhwc").input_layout == "NHWC"


REFUSED = {
    "dynamic batch in TFLite": ("tflite", SEG, {"dynamic_batch": True}, "--format onnx only"),
    "int8 in ONNX for a target": (
        "onnx",
        B0,
        {"precision": "int8", "target": "x86-64"},
        "int8 has one formulation for all cores",
    ),
    "int8 in TFLite for a target": (
        "tflite",
        B0,
        {"precision": "int8", "target": "x86-64"},
        "int8 has one formulation for all cores",
    ),
    "fp16 in ONNX": ("onnx", B0, {"precision": "fp16"}, "--precision fp16 is for --format tflite; got onnx"),
    "codes of float32": ("onnx", B0, {"io": "int8"}, "--io int8 is for --precision int8: fp32 has no scales"),
    "codes of pixels and classes": (
        "onnx",
        SEG,
        {"precision": "int8", "io": "int8", "preprocess": True, "head": "argmax"},
        "pixels in and a class map out are integers already",
    ),
    "codes of ends that may be float32": (
        "tflite",
        B0,
        {"precision": "int8", "io": "int8", "min_sqnr_db": 40.0},
        "--io int8 does not go with --min-sqnr",
    ),
    "fp16 of EdgeNeXt": ("tflite", EDGENEXT, {"precision": "fp16"}, "fp16 does not work for edgenext-small"),
    "int8 of EdgeNeXt": ("tflite", EDGENEXT, {"precision": "int8"}, "int8 does not work for edgenext-small"),
    "softmax of EdgeNeXt": (
        "onnx",
        EDGENEXT,
        {"attention": "softmax"},
        "its attention is one between channels",
    ),
    "argmax of a classifier": ("onnx", B0, {"head": "argmax"}, "--head argmax is for segmentation"),
    "upsample of a classifier": ("onnx", B0, {"head": "upsample"}, "--head upsample is for segmentation"),
    "bilinear classifier": ("onnx", B0, {"upsample": "bilinear"}, "--upsample bilinear is for segmentation"),
    "argmax resolution without argmax": ("onnx", SEG, {"argmax_at": "logits"}, "needs --head argmax"),
    "argmax resolution of a classifier": ("onnx", B0, {"argmax_at": "logits"}, "needs --head argmax"),
    "pixels in NCHW": ("onnx", SEG, {"preprocess": True, "layout": "nchw"}, "drop --layout nchw"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_obeyed_is_refused(kind: str) -> None:
    format, spec, options, message = REFUSED[kind]
    with pytest.raises(UserError, match=message) as caught:
        ExportOptions(format, (64, 64), **options).settled(spec)
    assert caught.value.code == Exit.USAGE


@pytest.mark.parametrize(
    ("spec", "size", "works"),
    [
        (B0, (224, 224), True),
        (B0, (33, 47), True),
        (B0, (31, 224), False),
        (B0, (0, 0), False),
        (SEG, (64, 96), True),
        (SEG, (100, 100), False),
        (SEG, (64, 100), False),
        (SEG, (-32, 64), False),
    ],
)
def test_resolutions(spec: object, size: tuple[int, int], works: bool) -> None:
    if works:
        assert ExportOptions("onnx", size).settled(spec).resolution == size
        return
    with pytest.raises(UserError, match="the next that does is") as caught:
        ExportOptions("onnx", size).settled(spec)
    assert caught.value.code == Exit.RESOLUTION


NAMES = {
    "efficientvit_b0-r64x96-fp32": ("onnx", B0, {}, "file"),
    "efficientvit_b0-r64x96-fp32-random": ("onnx", B0, {}, "random"),
    "efficientvit_b0-r64x96-fp32-nhwc-dynamic": (
        "onnx",
        B0,
        {"layout": "nhwc", "dynamic_batch": True},
        "file",
    ),
    "efficientvit_b0-r64x96-int8-sqnr42.5-random": (
        "tflite",
        B0,
        {"precision": "int8", "min_sqnr_db": 42.5},
        "random",
    ),
    "efficientvit_b0-r64x96-int8-percentile99.99": (
        "onnx",
        B0,
        {"precision": "int8", "calibration_method": "percentile"},
        "file",
    ),
    "efficientvit_b0-r64x96-int8-entropy": (
        "tflite",
        B0,
        {"precision": "int8", "calibration_method": "entropy"},
        "file",
    ),
    "efficientvit_b0-r64x96-int8-io-int8": ("onnx", B0, {"precision": "int8", "io": "int8"}, "file"),
    "efficientvit_b0-r64x96-fp32-nchw": ("tflite", B0, {"layout": "nchw"}, "pretrained"),
    "efficientvit_seg_b0_cityscapes-r64x96-fp32-bilinear-upsample": (
        "onnx",
        SEG,
        {"upsample": "bilinear", "head": "upsample"},
        "file",
    ),
    "efficientvit_seg_b0_cityscapes-r64x96-fp32-argmax-uint8": (
        "onnx",
        SEG,
        {"head": "argmax", "preprocess": True},
        "file",
    ),
    "efficientvit_seg_b0_cityscapes-r64x96-fp32-argmax8": (
        "tflite",
        SEG,
        {"head": "argmax", "argmax_at": "logits"},
        "file",
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_say_what_differs(name: str) -> None:
    format, spec, options, source = NAMES[name]
    chosen = ExportOptions(format, (64, 96), **options).settled(spec)
    assert artifact_name(spec, chosen, weights_source=source) == name


def test_square_sizes_are_named_by_one_side() -> None:
    assert artifact_name(B0, ExportOptions("onnx", (64, 64)), weights_source="file").endswith("-r64-fp32")

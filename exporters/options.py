"""What an export is asked for: one value object, checked once, recorded in the manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.zoo import PEERS, SEGMENTATION, ModelSpec, check_resolution

# Precision -> the formats that can be had in it; what each is: `precision/schemes.py`.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "fp32": ("onnx", "tflite"),
    "fp16-weights": ("onnx", "tflite"),
    "fp16": ("tflite",),
    "int8": ("onnx", "tflite"),
}
HEADS = ("logits", "upsample", "argmax")
LAYOUTS = ("nchw", "nhwc")
DEFAULT_TARGET = "cortex-a76"
NO_TARGET = "x86-64"  # its runtimes have kernels for the reference's own formulation
DEFAULT_LAYOUT = {"onnx": "nchw", "tflite": "nhwc"}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How one graph is to be made.

    Attributes:
        format: "onnx" or "tflite".
        resolution: (height, width) of the input.
        precision: a key of `PRECISIONS`.
        layout: of input and 4-D output, "nchw" or "nhwc"; `None` is the format's own (`DEFAULT_LAYOUT`).
        dynamic_batch: ONNX only; the batch size is otherwise 1.
        preprocess: uint8 pixels in, normalisation inside the graph. Such an input is always NHWC.
        head: segmentation only. "logits" at 1/8 resolution as published, "upsample" to the input's resolution
            (bicubic), "argmax": the class map, at the resolution that `argmax_at` says.
        argmax_at: "input" or "logits".
        upsample: "bicubic" as published, or "bilinear", which is another network.
        target: the core whose costs decide how the graph is formulated; it computes the same on any.
        attention: "linear" as published, or "softmax", which is another network, for comparison.
        min_sqnr_db: int8 TFLite only; as few blocks are left in float32 as bring the output's SQNR against
            the float32 graph's here. `None` leaves none.
        extremes: verify on 1e4 x noise, too; `settled` spares the models that ours are compared with, whose
            softmax is an argmax there, or whose products of maps leave float32.
    """

    format: str
    resolution: tuple[int, int]
    precision: str = "fp32"
    layout: str | None = None
    dynamic_batch: bool = False
    preprocess: bool = False
    head: str = "logits"
    argmax_at: str = "input"
    upsample: str = "bicubic"
    target: str = DEFAULT_TARGET
    attention: str = "linear"
    min_sqnr_db: float | None = None
    extremes: bool = True

    def settled(self, spec: ModelSpec) -> ExportOptions:
        """The same with every default filled in, checked against what the model and the format can do.

        Raises:
            UserError: an option that cannot be obeyed.
        """
        check_resolution(spec, *self.resolution)
        if self.format not in PRECISIONS[self.precision]:
            raise UserError(
                f"--precision {self.precision} is for --format {', '.join(PRECISIONS[self.precision])}; got "
                f"{self.format}",
                Exit.USAGE,
            )
        if (self.format, self.precision) == ("onnx", "int8") and self.target != DEFAULT_TARGET:
            raise UserError(
                f"--target {self.target}: int8 ONNX has one formulation for all cores; drop --target, or "
                "name --format tflite",
                Exit.USAGE,
            )
        self._check_min_sqnr()
        if self.dynamic_batch and self.format != "onnx":
            raise UserError(
                "--dynamic-batch works for --format onnx only: XNNPACK needs static shapes", Exit.USAGE
            )
        if spec.task != SEGMENTATION:
            for flag, value, neutral in (
                ("--head", self.head, "logits"),
                ("--upsample", self.upsample, "bicubic"),
            ):
                if value != neutral:
                    raise UserError(
                        f"{flag} {value} is for segmentation; {spec.name} is a {spec.task} model", Exit.USAGE
                    )
        if self.argmax_at != "input" and self.head != "argmax":
            raise UserError(
                f"--argmax-at {self.argmax_at} says where the class map lies: it needs --head argmax",
                Exit.USAGE,
            )
        if self.preprocess and self.layout == "nchw":
            raise UserError("--preprocess takes pixels as they lie in memory: drop --layout nchw", Exit.USAGE)
        layout = "nhwc" if self.preprocess else self.layout or DEFAULT_LAYOUT[self.format]
        return replace(self, layout=layout, extremes=self.extremes and spec not in PEERS)

    def _check_min_sqnr(self) -> None:
        least = self.min_sqnr_db
        if least is None:
            return
        if (self.precision, self.format) != ("int8", "tflite"):
            raise UserError(
                "--min-sqnr is for --precision int8 --format tflite; got "
                f"--precision {self.precision} --format {self.format}",
                Exit.USAGE,
            )
        if self.head == "argmax":
            raise UserError("--min-sqnr is for logits: class maps have no SQNR; leave out --head", Exit.USAGE)
        if not (math.isfinite(least) and least > 0):
            raise UserError(f"--min-sqnr {least:g}: expected decibels above 0, such as 40", Exit.USAGE)

    @property
    def input_layout(self) -> str:
        """Axes of the input `image`."""
        return (self.layout or DEFAULT_LAYOUT[self.format]).upper()


def artifact_name(spec: ModelSpec, options: ExportOptions, *, weights_source: str) -> str:
    """File name without the ending; it says whatever differs from the plain export.

    `efficientvit_b1-r224-fp32`, `efficientvit_seg_b0_cityscapes-r512x1024-fp32-argmax-random`.
    """
    height, width = options.resolution
    size = f"r{height}" if height == width else f"r{height}x{width}"
    parts = [spec.name.replace("-", "_"), size, options.precision]
    if options.min_sqnr_db is not None:
        parts.append(f"sqnr{options.min_sqnr_db:g}")
    if options.upsample != "bicubic":
        parts.append(options.upsample)
    if options.attention != "linear":
        parts.append(options.attention)
    if options.head != "logits":
        at_logits = options.head == "argmax" and options.argmax_at == "logits"
        parts.append(options.head + ("8" if at_logits else ""))
    if options.preprocess:
        parts.append("uint8")
    elif options.layout not in (None, DEFAULT_LAYOUT[options.format]):
        parts.append(str(options.layout))
    if options.dynamic_batch:
        parts.append("dynamic")
    if options.target != DEFAULT_TARGET:
        parts.append(options.target)
    if weights_source == "random":
        parts.append("random")
    return "-".join(parts)

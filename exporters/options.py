"""What an export is asked for: one value object, checked once, recorded in the manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.precision.ends import NO_ENDS, IntegerEnds
from evit_deploy.exporters.precision.range_methods import RangeMethod
from evit_deploy.models.edgenext import EdgeNeXtArchitecture
from evit_deploy.models.zoo import (
    IMAGE_EMBEDDING,
    PEERS,
    SEGMENTATION,
    SUPER_RESOLUTION,
    ModelSpec,
    check_resolution,
)

# Precision -> the formats that can be had in it; what each is: `precision/schemes.py`.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "fp32": ("onnx", "tflite"),
    "fp16-weights": ("onnx", "tflite"),
    "fp16": ("tflite",),
    "int8": ("onnx", "tflite"),
    "int8-full": ("onnx", "tflite"),
    "int8-dynamic": ("onnx", "tflite"),
    "int8-weights": ("onnx", "tflite"),
}
_WHY_NOT = {
    ("onnx", "fp16"): "; ONNX Runtime's float16 kernels on Arm are too far off, see docs/precision.md",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value of an option of `ExportOptions` that a family of models cannot be had with, and why."""

    architecture: type
    option: str
    value: str
    reason: str


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        EdgeNeXtArchitecture,
        "precision",
        "fp16",
        "the squared lengths of its attention, sums over all positions, and the 1e-6 of its norms are "
        "outside of float16's range; name fp32 or fp16-weights",
    ),
    Refusal(
        EdgeNeXtArchitecture,
        "precision",
        "int8",
        "nobody has verified yet what int8 does to its norms and its attention; name fp32 or fp16-weights",
    ),
    Refusal(EdgeNeXtArchitecture, "attention", "softmax", "its attention is one between channels"),
)
HEADS = ("logits", "upsample", "argmax")
LAYOUTS = ("nchw", "nhwc")
DEFAULT_TARGET = "cortex-a76"
NO_TARGET = "x86-64"  # its runtimes have kernels for the reference's own formulation
DEFAULT_PERCENTILE = 99.99
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
        calibration_method: int8 only; how ranges are taken of the images, see `precision/range_methods.py`.
        percentile: of the method of that name; the share of values, in percent, that a range covers.
        io: "float", or "int8": input and output are 8-bit codes, unless they are pixels or classes; of int8.
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
    calibration_method: str = "minmax"
    percentile: float | None = None
    io: str = "float"
    extremes: bool = True

    def settled(self, spec: ModelSpec) -> ExportOptions:
        """The same with every default filled in, checked against what the model and the format can do.

        Raises:
            UserError: an option that cannot be obeyed.
        """
        check_resolution(spec, *self.resolution)
        if self.format not in PRECISIONS[self.precision]:
            why = _WHY_NOT.get((self.format, self.precision), "")
            raise UserError(
                f"--precision {self.precision} is for --format {', '.join(PRECISIONS[self.precision])}; got "
                f"{self.format}{why}",
                Exit.USAGE,
            )
        if self.precision == "int8" and self.target != DEFAULT_TARGET:
            raise UserError(
                f"--target {self.target}: int8 has one formulation for all cores; drop --target", Exit.USAGE
            )
        self._check_family(spec)
        self._check_min_sqnr(spec)
        self._check_calibration_method()
        self._check_io()
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
        if self.preprocess and spec.task == IMAGE_EMBEDDING:
            raise UserError(
                f"--preprocess: {spec.name} pads images with zeros behind the normalisation, which no pixel "
                "has; leave it out",
                Exit.USAGE,
            )
        if self.preprocess and self.layout == "nchw":
            raise UserError("--preprocess takes pixels as they lie in memory: drop --layout nchw", Exit.USAGE)
        layout = "nhwc" if self.preprocess else self.layout or DEFAULT_LAYOUT[self.format]
        percentile = self.percentile
        if self.calibration_method == "percentile" and percentile is None:
            percentile = DEFAULT_PERCENTILE
        extremes = self.extremes and spec not in PEERS
        return replace(self, layout=layout, percentile=percentile, extremes=extremes)

    def _check_family(self, spec: ModelSpec) -> None:
        for refusal in REFUSALS:
            is_of_family = isinstance(spec.architecture, refusal.architecture)
            if is_of_family and getattr(self, refusal.option) == refusal.value:
                raise UserError(
                    f"--{refusal.option} {refusal.value} does not work for {spec.name}: {refusal.reason}",
                    Exit.USAGE,
                )

    def _check_min_sqnr(self, spec: ModelSpec) -> None:
        least = self.min_sqnr_db
        if least is None:
            return
        if spec.task == SUPER_RESOLUTION:
            raise UserError(f"--min-sqnr: {spec.name} is not told apart by block; leave it out", Exit.USAGE)
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

    def _check_calibration_method(self) -> None:
        method, share = self.calibration_method, self.percentile
        if method != "minmax" and self.precision != "int8":
            raise UserError(
                f"--calibration-method {method} is for --precision int8: {self.precision} takes no ranges of "
                "activations",
                Exit.USAGE,
            )
        if share is None:
            return
        if method != "percentile":
            raise UserError(
                f"--percentile {share:g} is of --calibration-method percentile; name that, too",
                Exit.USAGE,
            )
        if not 50 < share <= 100:
            raise UserError(
                f"--percentile {share:g}: expected a share above 50 and up to 100, such as 99.99", Exit.USAGE
            )

    def _check_io(self) -> None:
        if self.io == "float":
            return
        if self.precision != "int8":
            raise UserError(
                f"--io {self.io} is for --precision int8: {self.precision} has no scales for its ends",
                Exit.USAGE,
            )
        if self.integer_ends == NO_ENDS:
            raise UserError(
                f"--io {self.io}: pixels in and a class map out are integers already; drop it", Exit.USAGE
            )
        if self.min_sqnr_db is not None:
            raise UserError(
                f"--io {self.io} does not go with --min-sqnr, whose ends may be in float32; drop one",
                Exit.USAGE,
            )

    @property
    def integer_ends(self) -> IntegerEnds:
        """The ends that are codes with a scale: neither pixels nor classes."""
        coded = self.io == "int8"
        return IntegerEnds(input=coded and not self.preprocess, output=coded and self.head != "argmax")

    @property
    def range_method(self) -> RangeMethod:
        """How ranges are taken of calibration images."""
        return RangeMethod(self.calibration_method, self.percentile)

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
    if options.calibration_method != "minmax":
        share = "" if options.percentile is None else f"{options.percentile:g}"
        parts.append(options.calibration_method + share)
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
    if options.io != "float":
        parts.append(f"io-{options.io}")
    if options.dynamic_batch:
        parts.append("dynamic")
    if options.target != DEFAULT_TARGET:
        parts.append(options.target)
    if weights_source == "random":
        parts.append("random")
    return "-".join(parts)

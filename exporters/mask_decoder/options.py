"""What an export of a mask decoder is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.spec import IMAGE_EMBEDDING, ModelSpec

DEFAULT_POINTS = 8  # of TFLite: room for a box and six points
BOX = 2  # places that a box takes; so does a single point, which has "no point" behind it
OPEN = None


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """How the graph of a decoder is to be made.

    Attributes:
        format: "onnx" or "tflite".
        points: how many the graph takes; `None` leaves that open (ONNX) or is `DEFAULT_POINTS` (TFLite, whose
            shapes are static). Places that a prompt does not need get the label ABSENT.
    """

    format: str
    points: int | None = OPEN

    def settled(self, spec: ModelSpec) -> DecoderOptions:
        """The same with defaults filled in.

        Raises:
            UserError: the model has no mask decoder, or a box would not find room.
        """
        if spec.task != IMAGE_EMBEDDING:
            raise UserError(
                f"{spec.name} is a {spec.task} model: mask decoders belong to EfficientViT-SAM; name one of "
                "sam-l0, sam-l1, sam-l2, sam-xl0, sam-xl1",
                Exit.USAGE,
            )
        if self.points is not OPEN and self.points < BOX:
            raise UserError(f"--points {self.points}: expected at least {BOX}, a box's corners", Exit.USAGE)
        if self.format == "tflite" and self.points is OPEN:
            return DecoderOptions(self.format, DEFAULT_POINTS)
        return self

    @property
    def channels_last(self) -> bool:
        """Whether the embedding is NHWC, as the encoder in the same format gives it."""
        return self.format == "tflite"


def decoder_name(spec: ModelSpec, options: DecoderOptions, *, weights_source: str) -> str:
    """File name without the ending: `efficientvit_sam_l0_decoder-p8-fp32-random`."""
    parts = [f"{spec.name.replace('-', '_')}_decoder"]
    if options.points is not OPEN:
        parts.append(f"p{options.points}")
    parts.append("fp32")
    if weights_source == "random":
        parts.append("random")
    return "-".join(parts)

"""Masks for prompts, by the two artifacts of an EfficientViT-SAM: no PyTorch, only numpy and a runtime.

>>> with SamPredictor(Path("efficientvit_sam_l0-r512-fp32.onnx"), Path("..._decoder-fp32.onnx")) as predictor:
...     predictor.set_image(pixels)                                # once an image: the encoder
...     found = predictor.predict(points=[(320, 240)], labels=[1])  # once a prompt: the decoder
...     found.masks                                                # (3, H, W) bool

Points and boxes are x, y in pixels of the image as it was given.

Source of the steps around the two networks: Kirillov et al., Segment Anything (arXiv 2304.02643), and the
predictor that is published with EfficientViT-SAM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import PAD, Manifest, read_manifest
from evit_deploy.errors import Exit, UserError
from evit_deploy.photographs import normalise
from evit_deploy.prompts import Box, Points, padded_to, prompt_points
from evit_deploy.runtimes import DYNAMIC, Runner, open_runner
from evit_deploy.segment_resize import fitted_size, mask_at_image_size, resized

ENCODER_TASK, DECODER_TASK = "image-embedding", "mask-decoding"
THRESHOLD = 0.0  # of logits, as published
_NO_MASK = np.zeros((1, 1, 256, 256), np.float32)


@dataclass(frozen=True)
class Masks:
    """What was found: K masks, in the model's order.

    `logits` are (K, H, W) in the image's size, `low_resolution` (K, 256, 256) what `predict` takes again as
    `mask_input`, `expected_iou` (K,) how well the model expects each mask to fit.
    """

    logits: NDArray[np.float32]
    low_resolution: NDArray[np.float32]
    expected_iou: NDArray[np.float32]

    @property
    def masks(self) -> NDArray[np.bool_]:
        """(K, H, W): what belongs to the object."""
        return self.logits > THRESHOLD

    @property
    def best(self) -> int:
        """The mask that the model expects to fit best."""
        return int(self.expected_iou.argmax())


@dataclass(frozen=True)
class _Image:
    """An image that was encoded: its size, its size with the long side at 1024, and its embedding."""

    size: tuple[int, int]
    scaled: tuple[int, int]
    embedding: NDArray[np.float32]


class SamPredictor:
    """An encoder and a decoder, in the same format or not; a context manager.

    Raises:
        UserError: an artifact has no manifest or is of another task, or the two do not belong together.
    """

    def __init__(self, encoder: Path, decoder: Path, *, threads: int = 1) -> None:
        self._manifests = _manifest(encoder, ENCODER_TASK), _manifest(decoder, DECODER_TASK)
        _refuse_strangers(*self._manifests)
        self._encoder: Runner = open_runner(encoder, threads=threads)
        try:
            self._decoder: Runner = open_runner(decoder, threads=threads)
        except BaseException:
            self._encoder.close()
            raise
        self._image: _Image | None = None

    def __enter__(self) -> SamPredictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free both graphs."""
        self._encoder.close()
        self._decoder.close()

    def set_image(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode an image; every `predict` from now on is about it.

        Args:
            pixels: RGB, (H, W, 3).

        Returns:
            The embedding, (1, 256, 64, 64).

        Raises:
            UserError: not such an array.
        """
        size = _size_of(pixels)
        manifest, _ = self._manifests
        (output,) = self._encoder.run(
            {self._encoder.inputs[0].name: encoder_input(pixels, manifest)}
        ).values()
        embedding = output if manifest.outputs[0].layout == "NCHW" else output.transpose(0, 3, 1, 2)
        self._image = _Image(size, fitted_size(size, self._coordinate_side), embedding)
        return embedding

    def predict(
        self,
        points: Points = (),
        labels: Sequence[int] = (),
        box: Box | None = None,
        *,
        mask_input: NDArray[np.float32] | None = None,
        multimask_output: bool = True,
    ) -> Masks:
        """Masks of the object that a prompt means.

        Args:
            points: (x, y) each.
            labels: 1 for a point on the object, 0 for one beside it; as many as points.
            box: (x0, y0, x1, y1) around the object.
            mask_input: (256, 256), one of an earlier answer's `low_resolution`.
            multimask_output: three masks, for a prompt that may mean several things; else the one mask.

        Raises:
            UserError: no image was set, the prompt is empty, is outside of the image, or has more points than
                the decoder takes.
        """
        if self._image is None:
            raise UserError("no image is set: call set_image before predict", Exit.PROMPT)
        prompt = prompt_points(points, labels, box, self._image.size, has_mask=mask_input is not None)
        answer = self._decoder.run(self._feeds(self._image, prompt, _mask_of(mask_input)))
        chosen = slice(1, None) if multimask_output else slice(0, 1)
        low, expected = answer["masks"][0, chosen], answer["iou_predictions"][0, chosen]
        scaled, size = self._image.scaled, self._image.size
        logits = np.stack([mask_at_image_size(mask, self._coordinate_side, scaled, size) for mask in low])
        return Masks(logits, low, expected)

    @property
    def _coordinate_side(self) -> int:
        return int(self._manifests[1].options["coordinate_side"])

    def _feeds(self, image: _Image, prompt: NDArray[np.float64], mask: NDArray[np.float32] | None) -> Any:
        """`prompt` is (N, 3): x, y, label."""
        scale = np.array([image.scaled[1] / image.size[1], image.scaled[0] / image.size[0], 1.0])
        room = next(i.shape[1] for i in self._decoder.inputs if i.name == "point_coords")
        scaled = padded_to(prompt * scale, None if room == DYNAMIC else room)[None]  # (1, N, 3)
        layout = next(t.layout for t in self._manifests[1].inputs if t.name == "image_embedding")
        embedding = image.embedding if layout == "NCHW" else image.embedding.transpose(0, 2, 3, 1)
        feeds = {
            "image_embedding": embedding,
            "point_coords": scaled[..., :2],
            "point_labels": scaled[..., 2],
            "mask_input": _NO_MASK if mask is None else mask,
            "has_mask_input": np.array([float(mask is not None)]),
        }
        return {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}


def encoder_input(pixels: NDArray[np.uint8], manifest: Manifest) -> NDArray[np.float32]:
    """An image as the encoder takes it: long side to the input's, normalised, zeros at the bottom or right.

    (H, W, 3) -> (1, 3, S, S) or (1, S, S, 3), as the manifest says.
    """
    (image,) = manifest.inputs
    side = image.shape[image.layout.index("H")]
    height, width = fitted_size(_size_of(pixels), side)
    padded = np.zeros((1, side, side, 3), np.float32)
    preprocessing = manifest.preprocessing
    padded[0, :height, :width] = normalise(
        resized(pixels, height, width), preprocessing.mean, preprocessing.std
    )
    return padded if image.layout == "NHWC" else np.ascontiguousarray(padded.transpose(0, 3, 1, 2))


def _size_of(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UserError(
            f"an image is {pixels.dtype} of shape {pixels.shape}, expected uint8 RGB of (height, width, 3)",
            Exit.IMAGE,
        )
    return pixels.shape[0], pixels.shape[1]


def _mask_of(mask: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    if mask is None:
        return None
    if mask.shape[-2:] != _NO_MASK.shape[-2:] or mask.size != _NO_MASK.size:
        raise UserError(
            f"mask_input has shape {mask.shape}, expected (256, 256): one of an answer's low_resolution",
            Exit.PROMPT,
        )
    return mask.reshape(_NO_MASK.shape)


def _manifest(graph: Path, task: str) -> Manifest:
    if not graph.is_file():
        raise UserError(f"no artifact: '{graph}' is not a file", Exit.ARTIFACT_MISSING)
    manifest = read_manifest(graph)
    found = "has no manifest beside it" if manifest is None else f"is for {manifest.task}"
    if manifest is None or manifest.task != task:
        raise UserError(
            f"{graph}: {found}, expected an artifact for {task}; 'evit-export sam-l0' makes an encoder, "
            "'evit-export decoder sam-l0' its decoder",
            Exit.ARTIFACT_UNREADABLE,
        )
    return manifest


def _refuse_strangers(encoder: Manifest, decoder: Manifest) -> None:
    """Refuse a decoder that was made for another encoder's embedding."""
    given = _axes(encoder.outputs[0].shape, encoder.outputs[0].layout)
    taken = next(_axes(t.shape, t.layout) for t in decoder.inputs if t.name == "image_embedding")
    if given != taken:
        raise UserError(
            f"{decoder.name} takes an embedding of (channels, height, width) {taken}, {encoder.name} gives "
            f"{given}; export both of one model",
            Exit.ARTIFACT_UNREADABLE,
        )
    if (encoder.model, encoder.weights.sha256) != (decoder.model, decoder.weights.sha256):
        raise UserError(
            f"{decoder.name} is {decoder.model}'s ({decoder.weights.source} weights), {encoder.name} is "
            f"{encoder.model}'s ({encoder.weights.source}): an embedding means nothing to another model's "
            "decoder; export both of one checkpoint",
            Exit.ARTIFACT_UNREADABLE,
        )
    height, width = (encoder.inputs[0].shape[encoder.inputs[0].layout.index(axis)] for axis in "HW")
    if height != width or encoder.preprocessing.fit != PAD:
        raise UserError(
            f"{encoder.name} takes images of {height}x{width}, expected a square: prompts are placed in one; "
            "export it with another --resolution",
            Exit.ARTIFACT_UNREADABLE,
        )


def _axes(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    return tuple(shape[layout.index(axis)] for axis in "CHW")

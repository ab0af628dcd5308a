"""Little datasets in the published layouts, and graphs whose answers can be told by eye.

A graph here finds the strongest colour: class 0 is red, 1 green, 2 blue. The classifier takes an image's
mean, the segmenter that of each block of 8x8 pixels: its logits are at 1/8, as those of the real models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from evit_deploy.artifact import (
    GraphFacts,
    Manifest,
    Preprocessing,
    TensorSpec,
    Weights,
    manifest_path,
    sha256_of,
    to_json,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COLOURS = np.eye(3, dtype=np.uint8) * 200
LOGITS_STRIDE = 8


def save_image(path: Path, pixels: NDArray[Any], mode: str | None = None) -> Path:
    """Write pixels, converted to a mode of Pillow's where one is named; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def coloured(classes: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W) of 0, 1, 2 -> (H, W, 3) in the colours of these classes."""
    return COLOURS[classes]


def save_graph(
    path: Path,
    *,
    task: str = "classification",
    size: tuple[int, int] = (8, 8),
    layout: str = "NCHW",
    in_graph: bool = False,
    dtype: str = "float32",
    head: str = "logits",
    num_classes: int = 3,
    crop: float = 1.0,
    bias: tuple[float, ...] = (0.0, 0.0, 0.0),
    broken: bool = False,
) -> Path:
    """An artifact: the graph and its manifest.

    Args:
        path: ends in .onnx.
        task: see the module.
        size: of the input.
        layout: "NCHW" or "NHWC", of input and map.
        in_graph: pixels in, normalised inside.
        dtype: of the input.
        head: "logits" or "argmax".
        num_classes: at least 3; those above are never found.
        crop: of the preprocessing.
        bias: on the first three logits.
        broken: every output is NaN.
    """
    nodes, constants = _nodes(task, layout, in_graph, head, num_classes, bias, broken)
    shape = [1, 3, *size] if layout == "NCHW" else [1, *size, 3]
    output = _output_shape(task, layout, head, num_classes, size)
    kind = TensorProto.INT32 if head == "argmax" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)],
        [helper.make_tensor_value_info("out", kind, output)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    out_layout = "NHW" if head == "argmax" else "NC" if task == "classification" else layout
    manifest = Manifest(
        name=path.stem,
        format="onnx",
        model="colours",
        task=task,
        dataset="colours",
        num_classes=num_classes,
        inputs=(TensorSpec("image", tuple(shape), layout, dtype),),
        outputs=(TensorSpec("out", tuple(output), out_layout, "int32" if head == "argmax" else "float32"),),
        preprocessing=Preprocessing(MEAN, STD, crop, in_graph),
        precision="fp32",
        rewrites=(),
        options={},
        weights=Weights("random", seed=0),
        graph=GraphFacts(sha256_of(path), path.stat().st_size, {}, 0, 0),
        tools={},
        parity={},
    )
    manifest_path(path).write_bytes(to_json(manifest.as_dict()))
    return path


def _nodes(
    task: str,
    layout: str,
    in_graph: bool,
    head: str,
    num_classes: int,
    bias: tuple[float, ...],
    broken: bool,
) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Back to values of 0 to 1, the mean of a block or of all, a row for each class."""
    scale, shift = (np.full(3, 1 / 255), np.zeros(3)) if in_graph else (np.array(STD), np.array(MEAN))
    weight = np.eye(num_classes, 3, dtype=np.float32)[:, :, None, None]  # (classes, 3, 1, 1)
    biases = np.full(num_classes, -1.0, np.float32)
    biases[:3] = np.array(bias) + (np.nan if broken else 0)
    constants = {
        "scale": scale.reshape(1, 3, 1, 1).astype(np.float32),
        "shift": shift.reshape(1, 3, 1, 1).astype(np.float32),
        "weight": weight,
        "bias": biases,
    }
    nodes = [helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT)]
    nodes.append(
        helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2])
        if layout == "NHWC"
        else helper.make_node("Identity", ["values"], ["planes"])
    )
    nodes += [
        helper.make_node("Mul", ["planes", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["colours"]),
        helper.make_node("GlobalAveragePool", ["colours"], ["means"])
        if task == "classification"
        else helper.make_node("AveragePool", ["colours"], ["means"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["means", "weight", "bias"], ["logits"]),
    ]
    if task == "classification":
        nodes.append(helper.make_node("Flatten", ["logits"], ["out"]))
    elif head == "argmax":
        nodes.append(helper.make_node("ArgMax", ["logits"], ["largest"], axis=1, keepdims=0))
        nodes.append(helper.make_node("Cast", ["largest"], ["out"], to=TensorProto.INT32))
    else:
        perm = [0, 2, 3, 1] if layout == "NHWC" else [0, 1, 2, 3]
        nodes.append(helper.make_node("Transpose", ["logits"], ["out"], perm=perm))
    return nodes, constants


def _output_shape(task: str, layout: str, head: str, num_classes: int, size: tuple[int, int]) -> list[int]:
    if task == "classification":
        return [1, num_classes]
    low = [side // LOGITS_STRIDE for side in size]
    if head == "argmax":
        return [1, *low]
    return [1, num_classes, *low] if layout == "NCHW" else [1, *low, num_classes]


def imagenet_of_colours(root: Path, per_class: int = 3, names: tuple[str, ...] = ("0r", "1g", "2b")) -> Path:
    """A folder a class, each image of its class's colour, with sizes that differ."""
    for index, name in enumerate(names):
        for i in range(per_class):
            pixels = coloured(np.full((12 + i, 16 - i), index))
            save_image(root / name / f"{i}.png", pixels)
    return root


def stripes(seed: int, height: int = 32, width: int = 64, side: int = 16) -> NDArray[np.int64]:
    """(height, width) classes 0 to 2, in stripes from top to bottom.

    Where two stripes meet, the logits cross exactly between their pixels, also when they are enlarged
    bicubically; at the corners of squares they do not.
    """
    drawn = np.random.default_rng(seed).integers(3, size=(1, width // side))
    return drawn.repeat(height, 0).repeat(side, 1)


def folder_of_colours(root: Path, count: int = 4) -> Path:
    """The layout "folder": images in colours, and their masks."""
    for i in range(count):
        classes = stripes(i)
        save_image(root / "images" / f"{i}.png", coloured(classes))
        save_image(root / "masks" / f"{i}.png", classes.astype(np.uint8))
    return root

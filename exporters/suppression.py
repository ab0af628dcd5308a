"""Non-maximum suppression inside an ONNX graph of a detector, for who wants boxes from the graph itself.

    before   image -> detections (1, N, 4 + classes)
    after    image -> boxes (K, 4), scores (K,), classes (K,), in the order of ONNX's NonMaxSuppression:
             class by class, each from the best score down

What `evit_deploy.boxes.detections_of` does outside. K depends on the image, so this is for ONNX Runtime only.
The exported artifact stays as it is: the result is another file, without a manifest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.artifact import write_atomically
from evit_deploy.boxes import COORDINATES
from evit_deploy.errors import Exit, UserError


def add_suppression(
    graph: Path,
    target: Path,
    *,
    least_score: float = 0.25,
    overlap: float = 0.65,
    limit_per_class: int = 100,
) -> None:
    """Write `graph`, an exported ONNX detector, with non-maximum suppression behind it to `target`.

    Raises:
        UserError: it is no detector, or `target` cannot be written.
    """
    import onnx

    model = onnx.load(str(graph))
    count = _class_count(model, graph)
    settings = _constants(count, least_score, overlap, limit_per_class)
    model.graph.initializer.extend(settings)
    model.graph.node.extend(_nodes())
    del model.graph.output[:]
    model.graph.output.extend(_outputs())
    onnx.checker.check_model(model, full_check=True)
    write_atomically(target, model.SerializeToString(deterministic=True))


def _class_count(model: Any, graph: Path) -> int:
    shape = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    if [o.name for o in model.graph.output] != ["detections"] or len(shape) != 3 or shape[0] != 1:
        raise UserError(
            f"{graph}: no detector of ours: expected one output, detections (1, N, 4 + classes)", Exit.USAGE
        )
    return int(shape[2]) - COORDINATES


def _constants(classes: int, least_score: float, overlap: float, limit: int) -> list[Any]:
    from onnx import numpy_helper

    values: dict[str, Any] = {
        "nms/parts": np.array([COORDINATES, classes]),
        "nms/limit": np.array([limit]),
        "nms/overlap": np.array([overlap], np.float32),
        "nms/least": np.array([least_score], np.float32),
        "nms/class_column": np.array(1),
        "nms/box_column": np.array(2),
        "nms/pair_columns": np.array([1, 2]),
        "nms/first": np.array([0]),
    }
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]


def _nodes() -> list[Any]:
    from onnx import helper

    node = helper.make_node
    return [
        node("Split", ["detections", "nms/parts"], ["nms/all_boxes", "nms/cell_scores"], axis=2),
        node("Transpose", ["nms/cell_scores"], ["nms/class_scores"], perm=[0, 2, 1]),  # (1, classes, N)
        node(
            "NonMaxSuppression",
            ["nms/all_boxes", "nms/class_scores", "nms/limit", "nms/overlap", "nms/least"],
            ["nms/chosen"],  # (K, 3): image, class, cell
        ),
        node("Gather", ["nms/chosen", "nms/class_column"], ["classes"], axis=1),
        node("Gather", ["nms/chosen", "nms/box_column"], ["nms/cells"], axis=1),
        node("Gather", ["nms/chosen", "nms/pair_columns"], ["nms/pairs"], axis=1),
        node("Squeeze", ["nms/all_boxes", "nms/first"], ["nms/boxes"]),
        node("Squeeze", ["nms/class_scores", "nms/first"], ["nms/scores"]),
        node("Gather", ["nms/boxes", "nms/cells"], ["boxes"], axis=0),
        node("GatherND", ["nms/scores", "nms/pairs"], ["scores"]),
    ]


def _outputs() -> list[Any]:
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    return [
        value("boxes", TensorProto.FLOAT, ["kept", COORDINATES]),
        value("scores", TensorProto.FLOAT, ["kept"]),
        value("classes", TensorProto.INT64, ["kept"]),
    ]

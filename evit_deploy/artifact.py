"""An artifact: a graph file, its manifest, and the samples that prove it anywhere.

    NAME.onnx | NAME.tflite      the graph
    NAME.onnx.data               of a graph of more than 2 GB, its weights
    NAME.tflite.json             the manifest: what it is, how it was made, how close it came
    NAME.tflite.check.npz        one input and the reference's output, so that a board without torch can check

The manifest is what every other part of the toolkit reads; only exporters write it. The essentials are inside
the graph as well (ONNX metadata_props, TFLite metadata), under the key `EMBEDDED_KEY`, so that a file that
loses its sidecar still says what it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from evit_deploy.errors import Exit, UserError

# History: 1 = first version.
SCHEMA_VERSION = 1
EMBEDDED_KEY = "evit_deploy"
DEFAULT_FOLDER = Path("artifacts")
CROP, PAD, TILE = "crop", "pad", "tile"  # see `Preprocessing`
FORMAT_SUFFIXES: Mapping[str, str] = {"onnx": ".onnx", "tflite": ".tflite"}


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of the graph.

    `layout` names the axes of `shape` ("NCHW", "NHWC", "NC", "NHW"); -1 in `shape` is a dynamic batch.
    """

    name: str
    shape: tuple[int, ...]
    layout: str
    dtype: str
    quantization: tuple[float, int] | None = None  # (scale, zero point)


@dataclass(frozen=True)
class Weights:
    """Where the weights came from. `sha256` is the checkpoint file's; a random model has a seed instead."""

    source: str  # "random", "pretrained" or "file"
    origin: str | None = None  # repository and file name on the hub, or the file's own name
    sha256: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Preprocessing:
    """What turns a photograph into the input `image`.

    `fit` "crop": resize the short side to ceil(size / crop), centre crop to the input's size, divide by 255,
    subtract `mean`, divide by `std`. `in_graph` says that the graph takes uint8 pixels and does the last
    three steps itself.

    `fit` "pad": resize the long side to the input's side, the short one in proportion, rounded to the
    nearest; divide by 255, subtract `mean`, divide by `std`; then zeros at the bottom or on the right.

    `fit` "tile": not resized; the image, or a part of it, that has the input's size; then as with "crop".
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: float
    in_graph: bool
    interpolation: str = "bicubic"
    channel_order: str = "RGB"
    fit: str = CROP


@dataclass(frozen=True)
class GraphFacts:
    """Facts counted on the written graph, or on the reference where a graph cannot say."""

    sha256: str
    size_bytes: int
    op_histogram: dict[str, int]
    parameters: int  # of the reference, as published
    macs: int  # multiply-accumulates of the reference for one image
    delegate_partitions: int | None = None  # TFLite only: subgraphs that XNNPACK took
    delegated_ops: int | None = None
    total_ops: int | None = None
    # ONNX of more than 2 GB: "sha256" and "size_bytes" of NAME.onnx.data; `size_bytes` above is of both.
    data: dict[str, Any] | None = None


@dataclass(frozen=True)
class Manifest:
    """The sidecar `NAME.EXT.json`.

    `formulations`: path of each module that can be written in several ways -> {"place", "formulation",
    "ground"}; `quantization`: of a graph that computes in integers, which operators, how, and on what images
    ranges were taken ({"source", "sha256", "images"}); `own`: the description of a model that is not a
    published one, as `evit_deploy.models.own_config` reads it. They are empty in manifests of before there
    were such.
    """

    name: str
    format: str
    model: str
    task: str
    dataset: str
    num_classes: int | None  # `None` where the answer has no classes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Preprocessing
    precision: str
    rewrites: tuple[str, ...]
    options: dict[str, Any]
    weights: Weights
    graph: GraphFacts
    tools: dict[str, str]
    parity: dict[str, Any]
    formulations: dict[str, dict[str, str]] = field(default_factory=dict)
    quantization: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    schema: int = field(default=SCHEMA_VERSION)

    def essentials(self) -> dict[str, Any]:
        """The part that also goes inside the graph: all but what is counted on the finished file."""
        skipped = {"graph", "parity"}
        return {k: v for k, v in self.as_dict().items() if k not in skipped}

    def as_dict(self) -> dict[str, Any]:
        """Nested plain values, as they stand in the file; published models have no `own`."""
        return {name: value for name, value in asdict(self).items() if name != "own" or value}


def manifest_path(graph: Path) -> Path:
    """`b1.tflite` -> `b1.tflite.json`."""
    return graph.with_name(graph.name + ".json")


def data_path(graph: Path) -> Path:
    """`l9.onnx` -> `l9.onnx.data`."""
    return graph.with_name(graph.name + ".data")


def check_path(graph: Path) -> Path:
    """`b1.tflite` -> `b1.tflite.check.npz`."""
    return graph.with_name(graph.name + ".check.npz")


def samples_path(graph: Path) -> Path:
    """`b1.tflite` -> `b1.tflite.samples.npz`."""
    return graph.with_name(graph.name + ".samples.npz")


def format_of(graph: Path) -> str:
    """The format that a file's ending names.

    Raises:
        UserError: the ending is of no format we know.
    """
    for name, suffix in FORMAT_SUFFIXES.items():
        if graph.suffix == suffix:
            return name
    raise UserError(
        f"{graph}: not an artifact: got the ending '{graph.suffix}', expected one of "
        f"{', '.join(FORMAT_SUFFIXES.values())}",
        Exit.ARTIFACT_UNREADABLE,
    )


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def find_artifacts(folder: Path = DEFAULT_FOLDER) -> list[Path]:
    """Every graph file in a folder, by name.

    Raises:
        UserError: the folder is missing or has none.
    """
    found = [p for s in FORMAT_SUFFIXES.values() for p in folder.glob(f"*{s}")] if folder.is_dir() else []
    if not found:
        raise UserError(
            f"no artifact: nothing that ends in {' or '.join(FORMAT_SUFFIXES.values())} in '{folder}'; "
            "make one with 'evit-export', or name a file",
            Exit.ARTIFACT_MISSING,
        )
    return sorted(found)


def read_manifest(graph: Path) -> Manifest | None:
    """The manifest beside a graph; `None` where there is none (any ONNX or TFLite file can be measured).

    Raises:
        UserError: it is there but is no manifest of a version that this program reads.
    """
    path = manifest_path(graph)
    if not path.exists():
        return None
    try:
        return manifest_from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: not a manifest of schema {SCHEMA_VERSION} ({error}); export the model again, or remove "
            "this file to go on without it",
            Exit.ARTIFACT_UNREADABLE,
        ) from error


def manifest_from_dict(data: Mapping[str, Any]) -> Manifest:
    """Rebuild a manifest from JSON.

    Raises:
        KeyError, TypeError, ValueError: `data` is not one.
    """
    if data["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema {data['schema']}")
    later = ("formulations", "quantization", "own")
    values = {f.name: data[f.name] for f in fields(Manifest) if f.name not in later}
    values.update({name: data.get(name, {}) for name in later})
    values["inputs"] = tuple(_tensor_from_dict(t) for t in data["inputs"])
    values["outputs"] = tuple(_tensor_from_dict(t) for t in data["outputs"])
    pre = data["preprocessing"]
    values["preprocessing"] = Preprocessing(**{**pre, "mean": tuple(pre["mean"]), "std": tuple(pre["std"])})
    values["weights"] = Weights(**data["weights"])
    values["graph"] = GraphFacts(**data["graph"])
    values["rewrites"] = tuple(data["rewrites"])
    return Manifest(**values)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that another process sees the old content or the new, never a part.

    Raises:
        UserError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write '{path}': {error.strerror or error}; choose another folder with --output",
            Exit.OUTPUT,
        ) from error
    finally:
        # A no-op after a successful replace, and where the folder itself could not be made.
        if temporary.exists():
            temporary.unlink()


def to_json(data: Any) -> bytes:
    """Stable, readable JSON: what is written twice from the same data has the same bytes."""
    return (json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _tensor_from_dict(data: Mapping[str, Any]) -> TensorSpec:
    quantization = data["quantization"]
    return TensorSpec(
        name=data["name"],
        shape=tuple(data["shape"]),
        layout=data["layout"],
        dtype=data["dtype"],
        quantization=None if quantization is None else (float(quantization[0]), int(quantization[1])),
    )

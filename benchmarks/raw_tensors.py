"""Inputs and outputs as raw bytes, for a device that has no Python: what the agent does here on its behalf.

    validate: {"graph": PATH}
feeds:   {"inputs": [...], "check": PATH or null, "seed", "file"}   -> FILE: all inputs, one after the other
compare: {"dtype", "check": PATH or null, "file"}: FILE, the first output -> {"parity": ...}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.artifact import format_of
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.runtimes import TensorInfo
from evit_deploy.runtimes.tflite_file import validate


@dataclass(frozen=True)
class _Described:
    """Stands for the runner, which is elsewhere."""

    inputs: tuple[TensorInfo, ...]


def validate_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """Look at a graph before native code reads it: LiteRT's library takes a truncated file as it is.

    Raises:
        UserError: it is damaged.
    """
    graph = Path(job["graph"])
    if format_of(graph) == "tflite":
        validate(graph)
    return {}


def feeds_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """Write the inputs of a graph that is described by the job.

    Raises:
        UserError: the check file is of another graph.
    """
    infos = tuple(TensorInfo(**{**info, "shape": tuple(info["shape"])}) for info in job["inputs"])
    feeds = _samples(job).feeds(_Described(infos))
    with Path(job["file"]).open("wb") as file:
        for info in infos:
            file.write(feeds[info.name].tobytes())
    return {}


def compare_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """How close the output in a file is to the reference's.

    Raises:
        UserError: the check file is of another graph.
    """
    output = np.frombuffer(Path(job["file"]).read_bytes(), dtype=job["dtype"])
    return {"parity": _samples(job).compare({"output": output})}


def _samples(job: Mapping[str, Any]) -> Samples:
    return Samples(None if job["check"] is None else Path(job["check"]), job.get("seed", 0))

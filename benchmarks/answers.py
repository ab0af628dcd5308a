"""What a graph answers to images that somebody else has made ready: raw bytes in, raw bytes out.

answers: {"graph", "threads", "interpreter", "options", "images": N, "shape", "dtype", "file"}:
    FILE, N times the graph's one input -> {"runtime": {"name", "version"}, "answers": [N first outputs]}

`shape` and `dtype` are the input's, for one image; the images are run one by one. An output is {"dtype",
"shape", "bytes": base64}. With N = 0 the graph is only loaded. Nothing is timed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.runtimes import RuntimeOptions, open_runner

Array = NDArray[Any]
Packed = Mapping[str, Any]


def answers_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run the graph on one image after the other.

    Raises:
        UserError, SetupError: as `open_runner`; or the graph's input is another than the job says.
    """
    graph, options = Path(job["graph"]), RuntimeOptions(**job["options"])
    with open_runner(
        graph, interpreter=job["interpreter"], threads=job["threads"], options=options
    ) as runner:
        name = runner.inputs[0].name
        answers = [packed(next(iter(runner.run({name: image}).values()))) for image in _images(job)]
        return {"runtime": {"name": runner.name, "version": runner.version}, "answers": answers}


def packed(array: Array) -> dict[str, Any]:
    """As it is sent: plain values for JSON."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return {"dtype": str(array.dtype), "shape": list(array.shape), "bytes": data}


def unpacked(answer: Packed) -> Array:
    """What `packed` made, at the other end."""
    values = np.frombuffer(base64.b64decode(answer["bytes"]), np.dtype(str(answer["dtype"])))
    array: Array = values.reshape(answer["shape"])
    return array


def _images(job: Mapping[str, Any]) -> Iterator[Array]:
    """One at a time: a board may have little memory."""
    if not job["images"]:
        return
    shape, dtype = tuple(job["shape"]), np.dtype(job["dtype"])
    with Path(job["file"]).open("rb") as file:
        for _ in range(job["images"]):
            yield np.fromfile(file, dtype, int(np.prod(shape))).reshape(shape)

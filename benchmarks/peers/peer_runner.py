"""What the runners of other engines have in common: one float32 image in, one float32 tensor out.

Their files do not say what shape the image has, or not in a way that all of them could be asked, so the job
does: `image` is a `TensorInfo` as a dictionary. Runs on boards: Python 3.9, numpy and the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes.base import Array, Feeds, Runner, TensorInfo

Job = Mapping[str, Any]


class PeerRunner(Runner):
    """A graph in another engine, on one thread.

    Job: graph, weights (a second file, or None), image, output (its name).
    """

    def __init__(self, job: Job) -> None:
        self.graph = Path(job["graph"])
        self.weights = None if job["weights"] is None else Path(job["weights"])
        self.inputs = (TensorInfo(**{**job["image"], "shape": tuple(job["image"]["shape"])}),)
        self.outputs = (TensorInfo(job["output"], (), "float32"),)

    def image(self, feeds: Feeds) -> Array:
        """The one feed, contiguous.

        Raises:
            UserError: see `Runner.bind`.
        """
        self.check_feeds(feeds)
        return np.ascontiguousarray(feeds[self.inputs[0].name])


def load_engine(package: str) -> Any:
    """The engine's module.

    Raises:
        SetupError: it is not installed, or its native part does not load here.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise SetupError(f"{package} cannot be imported ({error})", Exit.RUNTIME) from error

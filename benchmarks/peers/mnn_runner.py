"""MNN: an .mnn file, on the processor, with `precision: high`, which is float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from evit_deploy.benchmarks.peers.peer_runner import Job, PeerRunner, load_engine
from evit_deploy.runtimes.base import Array, Feeds, Outputs, unreadable

_CONFIG = {"backend": "CPU", "precision": "high", "numThread": 1}


class MnnRunner(PeerRunner):
    """One graph.

    Raises:
        UserError: the file cannot be loaded.
        SetupError: MNN is not installed.
    """

    name = "mnn"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._mnn = mnn = load_engine("MNN")
        self.version = str(mnn.version())
        try:
            self._interpreter = mnn.Interpreter(str(self.graph))
            self._session = self._interpreter.createSession(_CONFIG)
        except Exception as error:  # the binding raises bare exceptions
            raise unreadable(self.graph, error) from error

    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """See `Runner.bind`."""
        source = self._interpreter.getSessionInput(self._session, self.inputs[0].name)
        source.copyFrom(self._tensor(self.image(feeds)))
        return partial(self._interpreter.runSession, self._session)

    def fetch(self) -> Outputs:
        """See `Runner.fetch`."""
        name = self.outputs[0].name
        source = self._interpreter.getSessionOutput(self._session, name)
        shape = tuple(source.getShape())
        host = self._tensor(np.zeros(shape, np.float32))
        source.copyToHostTensor(host)
        return {name: np.array(host.getData(), np.float32).reshape(shape)}

    def close(self) -> None:
        """See `Runner.close`."""
        self._session = self._interpreter = None

    def _tensor(self, values: Array) -> Any:
        """A host tensor in NCHW."""
        mnn = self._mnn
        kind, layout = mnn.Halide_Type_Float, mnn.Tensor_DimensionType_Caffe
        return mnn.Tensor(values.shape, kind, values, layout)

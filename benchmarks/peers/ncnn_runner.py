"""ncnn: a .param and a .bin file, in float32.

ncnn stores and computes in float16 or bfloat16 where the processor can, which is another precision than
everybody else's here: all of that is switched off. What stays on is exact up to rounding: Winograd and GEMM
forms of a convolution, the packed layout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evit_deploy.benchmarks.peers.peer_runner import Job, PeerRunner, load_engine
from evit_deploy.runtimes.base import Feeds, Outputs, unreadable

_HALF_PRECISION = (
    "use_fp16_packed",
    "use_fp16_storage",
    "use_fp16_arithmetic",
    "use_bf16_packed",
    "use_bf16_storage",
)
# What pnnx calls the first input and output.
_INPUT, _OUTPUT = "in0", "out0"


class NcnnRunner(PeerRunner):
    """One graph.

    Raises:
        UserError: a file cannot be loaded.
        SetupError: ncnn is not installed.
    """

    name = "ncnn"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._ncnn = ncnn = load_engine("ncnn")
        self.version = str(ncnn.__version__)
        self._out: Any = None
        self._net = ncnn.Net()
        self._net.opt.num_threads = 1
        for option in _HALF_PRECISION:
            setattr(self._net.opt, option, False)
        if self._net.load_param(str(self.graph)) or self._net.load_model(str(self.weights)):
            raise unreadable(self.graph, "ncnn refuses it")

    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """See `Runner.bind`. An extractor runs a graph once, so each run makes its own.

        The image is copied into memory of ncnn's: where the first operator works in place it would overwrite
        numpy's, and crash.
        """
        net, image = self._net, self._ncnn.Mat(self.image(feeds)[0]).clone()  # (3, H, W); ncnn knows no batch

        def call() -> None:
            extractor = net.create_extractor()
            extractor.input(_INPUT, image)
            self._status, self._out = extractor.extract(_OUTPUT)

        return call

    def fetch(self) -> Outputs:
        """See `Runner.fetch`.

        Raises:
            UserError: the run failed.
        """
        if self._status:
            raise unreadable(self.graph, f"ncnn fails to run it ({self._status})")
        return {self.outputs[0].name: np.array(self._out)[None]}

    def close(self) -> None:
        """See `Runner.close`. The output lies in memory of the net's: it has to go first."""
        self._out = None
        self._net.clear()

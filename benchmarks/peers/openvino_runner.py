"""OpenVINO: an ONNX file, which it reads itself, on its CPU plugin in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evit_deploy.benchmarks.peers.peer_runner import Job, PeerRunner, load_engine
from evit_deploy.runtimes.base import Feeds, Outputs, unreadable

# Without the hint it computes in bfloat16 or float16 where the processor can. It is pinned by us already.
_CONFIG = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "ENABLE_CPU_PINNING": False,
}


class OpenVinoRunner(PeerRunner):
    """One graph.

    Raises:
        UserError: the file cannot be loaded.
        SetupError: OpenVINO is not installed.
    """

    name = "openvino"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._openvino = openvino = load_engine("openvino")
        self.version = str(openvino.__version__).partition("-")[0]
        try:
            compiled = openvino.Core().compile_model(str(self.graph), "CPU", _CONFIG)
        except RuntimeError as error:
            # The first line says where in OpenVINO's source.
            raise unreadable(self.graph, str(error).strip().splitlines()[-1]) from error
        self._request: Any = compiled.create_infer_request()

    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """See `Runner.bind`."""
        self._request.set_input_tensor(self._openvino.Tensor(self.image(feeds)))
        run: Callable[[], None] = self._request.infer
        return run

    def fetch(self) -> Outputs:
        """See `Runner.fetch`."""
        return {self.outputs[0].name: np.array(self._request.get_output_tensor().data)}

    def close(self) -> None:
        """See `Runner.close`."""
        self._request = None

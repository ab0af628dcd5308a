"""The agent that runs other engines, too: a launch measures, counts or verifies as that of `evit-bench` does.

The job names its `engine`: a key of `PEERS`, or "onnxruntime" or "litert", which are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from evit_deploy.benchmarks import agent
from evit_deploy.benchmarks.peers.mnn_runner import MnnRunner
from evit_deploy.benchmarks.peers.ncnn_runner import NcnnRunner
from evit_deploy.benchmarks.peers.openvino_runner import OpenVinoRunner
from evit_deploy.benchmarks.peers.peer_runner import Job, PeerRunner, load_engine
from evit_deploy.runtimes.base import Runner

PEERS: Mapping[str, type[PeerRunner]] = {"ncnn": NcnnRunner, "mnn": MnnRunner, "openvino": OpenVinoRunner}
_PACKAGES = {"ncnn": "ncnn", "mnn": "MNN", "openvino": "openvino"}
# Modules below `benchmarks` that the agent's file has to have.
MODULES = (
    "peers.__init__",
    "peers.agent",
    "peers.mnn_runner",
    "peers.ncnn_runner",
    "peers.openvino_runner",
    "peers.passes",
    "peers.peer_runner",
)


def prepare(job: Job) -> Callable[[], Runner]:
    """Import the engine of a job; the value loads the graph.

    Raises:
        UserError, SetupError: as `prepare_runtime`.
    """
    from evit_deploy.benchmarks.passes import prepare_runtime

    if job["engine"] not in PEERS:
        return prepare_runtime(job)
    load_engine(_PACKAGES[job["engine"]])
    return partial(PEERS[job["engine"]], job)


def _latency(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.passes import latency_pass

    return latency_pass(job, prepare)


def _count(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.passes import count_pass

    return count_pass(job, prepare)


def _verify(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.peers.passes import verify_pass

    return verify_pass(job, prepare(job))


def _operators(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.peers.passes import operators_pass

    return operators_pass(job, prepare)


MODES: agent.Modes = {
    **agent.MODES,
    "latency": _latency,
    "count": _count,
    "verify": _verify,
    "operators": _operators,
}


def main(arguments: list[str]) -> int:
    """See `agent.main`."""
    return agent.main(arguments, MODES)

"""What a launch does here besides measuring: verify a graph on every sample, count operators one by one.

The samples file is written by `evit-export --keep-samples`: for each sample its name, the image, the output
of the reference in float64 (kept in float32), and the SQNR in dB that the reference's own noise demands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.benchmarks.marking import MARK_WARMUP, freeze_collector, marked, nothing
from evit_deploy.benchmarks.passes import Prepare
from evit_deploy.benchmarks.peers.peer_runner import Job
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes.base import Runner


def verify_pass(job: Job, load: Callable[[], Runner]) -> dict[str, Any]:
    """Run every sample once.

    Job: samples (the file). Result: `samples`, for each its comparison with the reference and `required_db`.
    """
    found = {}
    with np.load(Path(job["samples"]), allow_pickle=False) as archive, load() as runner:
        for number, name in enumerate(archive["names"]):
            (output,) = runner.run({runner.inputs[0].name: archive[f"image-{number}"]}).values()
            reference = archive[f"output-{number}"]
            compared = compare_outputs(reference.ravel(), output.ravel(), class_axis=0)
            found[str(name)] = {
                **compared.as_dict(),
                "required_db": float(archive["required_db"][number]),
            }
        return {"samples": found, "runtime": {"name": runner.name, "version": runner.version}}


def operators_pass(job: Job, prepare: Prepare) -> dict[str, Any]:
    """Count each graph alone: region i + 1 is the third run of graph i, region 0 is empty.

    Job: graphs, each a job's part of its own (engine, graph, weights, image, output).
    """
    freeze_collector()
    for _ in range(MARK_WARMUP):
        marked(nothing, 0)
    for number, part in enumerate(job["graphs"], start=1):
        with prepare({**job, **part})() as runner:
            call = runner.bind(Samples(None, job["seed"]).feeds(runner))
            call()
            call()
            marked(call, number)
    return {}

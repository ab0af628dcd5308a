"""The wall-time tier of the gate: where it meets `evit-bench compare`.

Baseline and candidate are both measured now, in pairs of launches; a time of another day is never compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.gate.side import Side
from evit_deploy.benchmarks.rounds import Say
from evit_deploy.benchmarks.suite import LatencySection
from evit_deploy.devices import Device
from evit_deploy.errors import SetupError


def compare_wall_time(
    old: Side, new: Side, devices: Sequence[Device], asked: LatencySection, say: Say, *, wait: bool
) -> Any:
    """What `compare_latency` finds for the artifacts that both sides have: checks, series, devices.

    Raises:
        UserError, SetupError: an artifact cannot be run, or a device cannot be used.
    """
    pairs = [(old.graphs[name], new.graphs[name]) for name in old.graphs if name in new.graphs]
    return _compare(pairs, devices, asked, say, wait=wait)


def _compare(
    pairs: Sequence[tuple[Path, Path]],
    devices: Sequence[Device],
    asked: LatencySection,
    say: Say,
    *,
    wait: bool,
) -> Any:
    try:
        run = import_module("evit_deploy.benchmarks.compare.run")
        decision = import_module("evit_deploy.benchmarks.compare.decision")
    except ModuleNotFoundError as error:
        raise SetupError(f"wall time cannot be compared: {error}; use --tier deterministic") from error
    plan = replace(run.COMPARE_PLAN, threads=asked.threads, cores=asked.cores)
    return run.compare_latency(pairs, devices, plan, decision.Rule(margin=asked.margin), say, wait=wait)

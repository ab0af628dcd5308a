"""Profile one graph on one device.

                   real device                            emulated core
    ONNX           ONNX Runtime's profiler, in place      each distinct operator alone, instructions
    TFLite         each distinct operator alone, timed    each distinct operator alone, instructions

TFLite's interpreter has no profiler that Python could reach, and what XNNPACK takes is one node to it. Under
emulation a clock means nothing, and the counter sees whole regions only.
"""

from __future__ import annotations

import base64
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evit_deploy.artifact import check_path
from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.measure import describe, install_agent, take_lock
from evit_deploy.benchmarks.per_operator.cache import Classes, cached_count, keep_count, operator_key
from evit_deploy.benchmarks.per_operator.onnx_operators import OnnxGraph
from evit_deploy.benchmarks.per_operator.operator import Operator
from evit_deploy.benchmarks.per_operator.result import (
    ALONE,
    IN_PLACE,
    INSTRUCTIONS,
    NANOSECONDS,
    Cost,
    Profile,
)
from evit_deploy.benchmarks.per_operator.tflite_operators import TfliteGraph
from evit_deploy.benchmarks.summary import inference_counts
from evit_deploy.devices import Device
from evit_deploy.runtimes.options import DEFAULTS, RuntimeOptions, options_for

Say = Callable[[str], None]


@dataclass(frozen=True)
class ProfilePlan:
    """How to profile on a real device; `seconds` is the most that one operator alone may take."""

    threads: int = 1
    cores: str = "auto"
    interpreter: str = "auto"
    options: RuntimeOptions = DEFAULTS
    warmup_runs: int = 5
    runs: int = 30
    seconds: float = 1.0
    seed: int = 0


def profile(path: Path, device: Device, plan: ProfilePlan, say: Say, *, wait: bool = True) -> Profile:
    """Profile an artifact; the device is opened and closed here.

    Args:
        path: the graph file.
        device: closed.
        plan: see `ProfilePlan`; an emulated device takes one run.
        say: is told each step as it begins.
        wait: for whoever else measures on the device.

    Raises:
        UserError, SetupError: the artifact cannot be read or run, the device cannot be used, or a package
            that reading graphs needs is missing.
    """
    subject = describe(path)
    with device:
        install_agent(bundle_agent(), device)
        take_lock(device, say, wait=wait)
        session = _Session(path, device, plan, say)
        values = session.onnx() if subject.format == "onnx" else session.tflite()
    return Profile(artifact=subject.name, sha256=subject.sha256, device=device.label, **values)


class _Session:
    """One graph on one open device. Each method that profiles gives the varying fields of `Profile`."""

    def __init__(self, path: Path, device: Device, plan: ProfilePlan, say: Say) -> None:
        self._path, self._device, self._plan, self._say = path, device, plan, say
        self._options = options_for(path, plan.options)
        check = check_path(path)
        self._graph = device.push(path)
        self._check = device.push(check) if check.is_file() else None

    def onnx(self) -> dict[str, Any]:
        emulated = self._device.emulated
        self._say("the whole graph, under the runtime's profiler")
        few = {"warmup_runs": 1, "runs": 1} if emulated else {}
        result = self._launch("profile", **few)
        runs = result["profiled"]
        graph = OnnxGraph(self._path, base64.b64decode(result["structure"]), runs[-1]["nodes"])
        if emulated:
            return self._counted(graph, result["runtime"])
        return {
            "runtime": result["runtime"],
            "unit": NANOSECONDS,
            "how": IN_PLACE,
            "whole": statistics.median(result["runs_ns"]),
            "call": 0.0,
            "costs": _in_place(graph.operators, runs),
            "profiled_whole": statistics.median(run["duration_ns"] for run in runs),
        }

    def tflite(self) -> dict[str, Any]:
        graph = TfliteGraph(self._path)
        if self._options.get("fp16"):
            graph.operators = [replace(operator, float16=True) for operator in graph.operators]
        if self._device.emulated:
            return self._counted(graph, None)
        self._say("the whole graph")
        whole = self._launch("latency", warmup_s=0.2)
        alone = [graph.alone(i) for i in range(len(graph.operators))]
        distinct = list(dict.fromkeys([graph.trivial(), *(content for content in alone if content)]))
        self._say(f"{len(distinct)} distinct operators alone")
        samples = dict(zip(distinct, self._run_alone(distinct, mark=False)["samples_ns"], strict=True))
        call = statistics.median(samples[distinct[0]])
        return {
            "runtime": whole["runtime"],
            "unit": NANOSECONDS,
            "how": ALONE,
            "whole": statistics.median(whole["samples_ns"]),
            "call": call,
            "costs": _timed_alone(graph.operators, [samples.get(c, []) if c else [] for c in alone], call),
        }

    def _counted(self, graph: OnnxGraph | TfliteGraph, runtime: Mapping[str, Any] | None) -> dict[str, Any]:
        self._say("the whole graph, counted")
        whole = self._launch("count")
        alone = [graph.alone(i) for i in range(len(graph.operators))]
        counts = self._counts([graph.trivial(), *(content for content in alone if content)])
        call = counts[graph.trivial()]
        classes = [_less(counts[content], call) if content else {} for content in alone]
        return {
            "runtime": runtime or whole["runtime"],
            "unit": INSTRUCTIONS,
            "how": ALONE,
            "whole": float(sum(inference_counts(whole["counts"]).values())),
            "call": float(sum(call.values())),
            "costs": tuple(
                Cost(operator, float(sum(own.values())), classes=own)
                for operator, own in zip(graph.operators, classes, strict=True)
            ),
        }

    def _counts(self, graphs: Sequence[bytes]) -> dict[bytes, Classes]:
        """Instructions of one run of each graph and its call; from the cache as far as it has them."""
        device, told = self._device.name, self._options
        keys = {content: operator_key(content, device, told) for content in dict.fromkeys(graphs)}
        known = {content: cached_count(key) for content, key in keys.items()}
        missing = [content for content, count in known.items() if count is None]
        self._say(f"{len(keys)} distinct operators alone, {len(keys) - len(missing)} of them known")
        if missing:
            regions = self._run_alone(missing, mark=True)["counts"]
            for number, content in enumerate(missing, start=1):
                known[content] = _less(regions[str(number)], regions["0"])
                keep_count(keys[content], known[content] or {})
        return {content: count for content, count in known.items() if count is not None}

    def _run_alone(self, graphs: Sequence[bytes], *, mark: bool) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="evit-") as folder:
            names = []
            for number, content in enumerate(graphs):
                file = Path(folder) / f"operator-{number:03d}{self._path.suffix}"
                file.write_bytes(content)
                names.append(self._device.push(file))
            return self._launch("operators", graphs=names, mark=mark)

    def _launch(self, mode: str, **values: Any) -> dict[str, Any]:
        job = {**asdict(self._plan), "graph": self._graph, "check": self._check, "options": self._options}
        return self._device.run_agent({**job, **values, "mode": mode})


def _in_place(operators: Sequence[Operator], runs: Sequence[Mapping[str, Any]]) -> tuple[Cost, ...]:
    """Each operator's samples over the profiled runs; when it began, in the last."""
    last = runs[-1]
    samples = [[run["nodes"][i]["duration_ns"] for run in runs] for i in range(len(operators))]
    return tuple(
        Cost(
            operator,
            float(statistics.median(own)),
            samples_ns=tuple(own),
            begin_ns=last["nodes"][i]["begin_ns"] - last["begin_ns"],
        )
        for i, (operator, own) in enumerate(zip(operators, samples, strict=True))
    )


def _timed_alone(
    operators: Sequence[Operator], samples: Sequence[Sequence[int]], call: float
) -> tuple[Cost, ...]:
    return tuple(
        Cost(operator, statistics.median(own) - call if own else 0.0, samples_ns=tuple(own))
        for operator, own in zip(operators, samples, strict=True)
    )


def _less(counts: Mapping[str, int], without: Mapping[str, int]) -> Classes:
    """Class -> instructions of `counts` that are not in `without`."""
    names = sorted({*counts, *without})
    difference = {name: counts.get(name, 0) - without.get(name, 0) for name in names}
    return {name: count for name, count in difference.items() if count}

"""What the runtimes' own benchmark programs print, read into a launch.

Neither prints its samples, so a launch has one: their median where it is printed, else their mean.

    benchmark_model (TFLite)   count=50 first=249042 curr=250889 min=247067 max=254474 avg=249684 std=1442
                               newer ones add: p5=... median=... p95=...          all in microseconds
                               Inference timings in us: Init: 16242, First inference: 360262, ...
    onnxruntime_perf_test -s   First inference time cost: 109 ms
                               P50 Latency: 0.0995086 s                           also Min, Max, P90, P95 ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evit_deploy.errors import Exit, SetupError

_NUMBER = r"([0-9.]+(?:e[+-]?[0-9]+)?)"
_NS_PER_US, _NS_PER_MS, _NS_PER_S = 1e3, 1e6, 1e9

_BENCHMARK_MODEL = {
    "load_ns": (rf"Inference timings in us: Init: {_NUMBER},", _NS_PER_US),
    "first_ns": (rf"First inference: {_NUMBER}", _NS_PER_US),
    "warmup_ns": (rf"Warmup \(avg\): {_NUMBER}", _NS_PER_US),
    "mean_ns": (rf"Inference \(avg\): {_NUMBER}", _NS_PER_US),
}
_PERF_TEST = {
    "load_ns": (rf"Session creation time cost: {_NUMBER} s", _NS_PER_S),
    "first_ns": (rf"First inference time cost: {_NUMBER} ms", _NS_PER_MS),
    "mean_ns": (rf"Average inference time cost(?: total)?: {_NUMBER} ms", _NS_PER_MS),
    "median_ns": (rf"P50 Latency: {_NUMBER} s", _NS_PER_S),
    "p90_ns": (rf"P90 Latency: {_NUMBER} s", _NS_PER_S),
    "min_ns": (rf"Min Latency: {_NUMBER} s", _NS_PER_S),
    "max_ns": (rf"Max Latency: {_NUMBER} s", _NS_PER_S),
    "peak_bytes": (rf"Peak working set size: {_NUMBER} bytes", 1.0),
    "count": (rf"Total inference requests: {_NUMBER}", 1.0),
}
# Of the line that begins with "count=": the last one is of the measurement, those before it of the warm-up.
_STATISTICS = {"min": "min_ns", "max": "max_ns", "std": "std_ns", "median": "median_ns", "p95": "p95_ns"}


def read_benchmark_model(text: str) -> dict[str, Any]:
    """What TFLite's `benchmark_model` found; see `_launch` for the keys.

    Raises:
        SetupError: it printed no result.
    """
    found = _find(text, _BENCHMARK_MODEL)
    lines = re.findall(r"count=[0-9]+ .*", text)
    for name, value in re.findall(rf"(\w+)={_NUMBER}", lines[-1] if lines else ""):
        if name == "count":
            found["count"] = float(value)
        elif name in _STATISTICS:
            found[_STATISTICS[name]] = float(value) * _NS_PER_US
    return _launch("benchmark_model", found, text)


def read_perf_test(text: str) -> dict[str, Any]:
    """What ONNX Runtime's `onnxruntime_perf_test` found; see `_launch` for the keys.

    Raises:
        SetupError: it printed no result.
    """
    return _launch("onnxruntime_perf_test", _find(text, _PERF_TEST), text)


def _find(text: str, patterns: Mapping[str, tuple[str, float]]) -> dict[str, float]:
    matches = {name: (re.search(pattern, text), unit) for name, (pattern, unit) in patterns.items()}
    return {name: float(match[1]) * unit for name, (match, unit) in matches.items() if match}


def _launch(program: str, found: dict[str, float], text: str) -> dict[str, Any]:
    """A launch as the agent reports one: `printed` has all that the program said, `runs_per_sample` how many
    runs the one sample stands for.
    """
    figure = "median_ns" if "median_ns" in found else "mean_ns"
    if figure not in found or "count" not in found:
        said = [line.strip() for line in text.splitlines() if line.strip()] or ["nothing"]
        raise SetupError(f"{program} printed no result; its last words: {said[-1][:300]}", Exit.RUNTIME)
    return {
        "load_ns": round(found.get("load_ns", 0)) or None,
        "first_ns": round(found.get("first_ns", 0)) or None,
        "warmup_ns": [round(found["warmup_ns"])] if "warmup_ns" in found else [],
        "samples_ns": [round(found[figure])],
        "runs_per_sample": int(found["count"]),
        "printed": {"figure": figure.removesuffix("_ns"), **found},
    }

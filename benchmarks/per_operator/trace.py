"""A profile as a Chrome trace (JSON), which Perfetto and chrome://tracing draw.

In place (ONNX on a real device) operators lie where they ran in the last profiled run. Alone, they are laid
end to end in the order of the graph; under emulation one instruction is drawn as one nanosecond, and the
track says so. Format: "Trace Event Format", complete events (`ph` X), times in microseconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.per_operator.result import INSTRUCTIONS, Cost, Profile

_NS_PER_US = 1000
_PROCESS, _STAGES, _OPERATORS = 1, 1, 2


def write_trace(profile: Profile, path: Path) -> None:
    """Write the trace file.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(path, (json.dumps(trace(profile), indent=1, sort_keys=True) + "\n").encode())


def trace(profile: Profile) -> dict[str, Any]:
    """The trace: one track of stages, one of operators."""
    operators = _operators(profile)
    names = {_STAGES: "stages", _OPERATORS: f"operators ({what_time_is(profile)})"}
    labels = [_name("process_name", _PROCESS, 0, f"{profile.artifact} on {profile.device}")]
    labels += [_name("thread_name", _PROCESS, track, name) for track, name in names.items()]
    return {
        "traceEvents": [*labels, *_stages(operators), *operators],
        "displayTimeUnit": "ns",
        "otherData": {
            "artifact": profile.artifact,
            "device": profile.device,
            "runtime": f"{profile.runtime['name']} {profile.runtime['version']}",
            "time": what_time_is(profile),
        },
    }


def what_time_is(profile: Profile) -> str:
    """What the trace's time axis means."""
    if profile.unit == INSTRUCTIONS:
        return "1 ns = 1 instruction, laid end to end; not time"
    placed = profile.costs and profile.costs[0].begin_ns is not None
    return "as they ran" if placed else "each run alone, laid end to end"


def _operators(profile: Profile) -> list[dict[str, Any]]:
    events, end = [], 0.0
    for cost in profile.costs:
        duration = float(max(cost.amount, 0))
        begin = end
        if cost.begin_ns is not None:
            begin, duration = float(cost.begin_ns), float(cost.samples_ns[-1])
        events.append(_event(cost, begin, duration))
        end = begin + duration
    return events


def _event(cost: Cost, begin_ns: float, duration_ns: float) -> dict[str, Any]:
    operator = cost.operator
    details = {
        "module": operator.module,
        "stage": operator.stage,
        "shapes": operator.shapes,
        "macs": operator.macs,
        "ideal_instructions": operator.ideal,
        **cost.classes,
    }
    return _complete(f"{operator.kind}", _OPERATORS, begin_ns, duration_ns, "operator", details)


def _stages(operators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbouring operators of one stage as one event."""
    events: list[dict[str, Any]] = []
    for operator in operators:
        stage, end = operator["args"]["stage"], operator["ts"] + operator["dur"]
        if events and events[-1]["name"] == stage:
            events[-1]["dur"] = end - events[-1]["ts"]
        else:
            begin = operator["ts"] * _NS_PER_US
            events.append(_complete(stage, _STAGES, begin, operator["dur"] * _NS_PER_US, "stage", {}))
    return events


def _complete(
    name: str, track: int, begin_ns: float, duration_ns: float, category: str, details: dict[str, Any]
) -> dict[str, Any]:
    return {
        **{"ph": "X", "pid": _PROCESS, "tid": track, "name": name, "cat": category, "args": details},
        **{"ts": begin_ns / _NS_PER_US, "dur": duration_ns / _NS_PER_US},
    }


def _name(what: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": process, "tid": thread, "name": what, "args": {"name": name}}

"""What our native runner is told, what it answers, and the launch that is made of it: see native_runner/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evit_deploy.errors import EvitError, Exit, SetupError, UserError

# The runner's exit codes (native_runner/runner.h) -> what they are here.
FAILURES: Mapping[int, tuple[type[EvitError], Exit]] = {
    2: (UserError, Exit.DEVICE),
    3: (UserError, Exit.ARTIFACT_UNREADABLE),
    4: (SetupError, Exit.RUNTIME),
    5: (SetupError, Exit.BOARD),
    6: (UserError, Exit.ARTIFACT_UNREADABLE),
    7: (SetupError, Exit.DEVICE),
}
MODES = ("latency", "memory")
_MEASURING = ("threads", "cores", "warmup_runs", "warmup_s", "runs", "seconds")
# As ONNX Runtime numbers its levels.
_LEVELS = {"disabled": 0, "basic": 1, "extended": 2, "all": 99}


@dataclass(frozen=True)
class Answer:
    """What the runner wrote: its line of JSON, and the bytes of each output."""

    facts: dict[str, Any]
    outputs: tuple[bytes, ...]


def read_answer(stdout: bytes) -> Answer:
    """Take apart what the runner wrote."""
    line, _, rest = stdout.partition(b"\n")
    facts = json.loads(line)
    outputs = []
    for size in facts.pop("output_bytes", ()):
        outputs.append(rest[:size])
        rest = rest[size:]
    return Answer(facts, tuple(outputs))


def measuring_arguments(job: Mapping[str, Any]) -> list[str]:
    """The words that say how to measure."""
    settings = [f"set:{key}={value}" for key, value in runtime_settings(job["options"]).items()]
    return [f"mode={job['mode']}", *(f"{name}={job[name]}" for name in _MEASURING), *settings]


def runtime_settings(options: Mapping[str, Any]) -> dict[str, str]:
    """The runtimes' own names for what `RuntimeOptions` asks for, as far as the runner can be told."""
    found = {}
    if options.get("ort_spinning") is not None:
        found["session.intra_op.allow_spinning"] = str(int(options["ort_spinning"]))
    if options.get("ort_optimization") is not None:
        found["optimization"] = str(_LEVELS[options["ort_optimization"]])
    if options.get("xnnpack") is not None:
        found["kernel_mode"] = '"xnnpack"' if options["xnnpack"] else '"builtin"'
    return found


def refuse(job: Mapping[str, Any], label: str) -> None:
    """Nothing that was asked for may be passed over.

    Raises:
        UserError: the job asks for what the runner cannot do.
    """
    if job["mode"] not in MODES:
        raise UserError(f"{label}: without Python on the device there is no {job['mode']}", Exit.DEVICE)
    asked = {
        f"--cores {job['cores']} (name them by number)": job["cores"] in ("big", "mid", "little"),
        f"--interpreter {job['interpreter']}": job["interpreter"] not in ("auto", "litert"),
        "--kleidiai": job["options"].get("kleidiai") is not None,
        "--fp16": bool(job["options"].get("fp16")),
    }
    refused = [name for name, given in asked.items() if given]
    if refused:
        raise UserError(f"{label}: the native runner cannot be told {', '.join(refused)}", Exit.DEVICE)

"""One launch of the agent as a child process of ours."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evit_deploy.devices.base import JOB_FILE, RESULT_FILE, read_answer, unpack_answer
from evit_deploy.devices.child import run_child
from evit_deploy.errors import Exit, SetupError


def launch_agent(
    command: Sequence[str],
    job: Mapping[str, Any],
    *,
    folder: Path,
    environment: Mapping[str, str],
    names: Mapping[str, Path],
    label: str,
) -> dict[str, Any]:
    """Run `command` in `folder`, where it finds the job and leaves the result.

    Raises:
        UserError, SetupError: see `Device.run_agent`.
    """
    (folder / RESULT_FILE).unlink(missing_ok=True)
    (folder / JOB_FILE).write_text(json.dumps(job, sort_keys=True), encoding="utf-8")
    done = run_child(command, environment=environment, folder=folder)
    answer = read_answer(folder)
    if answer is None:
        raise agent_died(done.returncode, done.stderr, job, names, label)
    return unpack_answer(answer, names)


def agent_died(
    code: int, stderr: bytes, job: Mapping[str, Any], names: Mapping[str, Path], label: str
) -> SetupError:
    """The error for an agent that wrote no result."""
    graph = names.get(str(job.get("graph")), "the agent")
    lines = stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    # An emulator and a shell report a guest's signal as 128 + its number.
    number = -code if code < 0 else code - 128
    if number in {int(s) for s in signal.Signals}:
        name = signal.Signals(number).name
        advice = "out of memory?" if name == "SIGKILL" else "a damaged file, or a fault of the runtime"
        cause = f"the runtime was killed by {name} ({advice})"
    else:
        cause = f"the agent failed with exit code {code}"
    return SetupError(f"{graph}: {cause} on {label}: {lines[-1][:300]}", Exit.RUNTIME)

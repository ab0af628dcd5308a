"""The agent: one launch on a device. `python agent.pyz JOB RESULT`, both JSON files.

Or the holder of the device's lock: `python agent.pyz hold try|wait OWNER`, see `hold`.

Shipped as one file (see bundle.py) that needs the standard library, numpy and a runtime, and runs on Python
3.9. A job names its mode and that mode's arguments; the answer is {"result": ...} or {"error": ...}.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.conditions import conditions
from evit_deploy.benchmarks.cores import AUTO, pin
from evit_deploy.benchmarks.environment import machine_facts
from evit_deploy.errors import EvitError
from evit_deploy.lock import DeviceLock, Owner

Job = Mapping[str, Any]
Modes = Mapping[str, Callable[[Job], dict[str, Any]]]
HOLD = "hold"


def _facts(job: Job) -> dict[str, Any]:
    return machine_facts(libraries=job.get("libraries", True))


def _conditions(job: Job) -> dict[str, Any]:
    return conditions()


# numpy and the runtimes start threads when they are imported, so they come after the pinning.
def _latency(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.passes import latency_pass

    return latency_pass(job)


def _memory(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.passes import memory_pass

    return memory_pass(job)


def _count(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.passes import count_pass

    return count_pass(job)


def _profile(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.operator_passes import profile_pass

    return profile_pass(job)


def _operators(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.operator_passes import operators_pass

    return operators_pass(job)


def _answers(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.answers import answers_pass

    return answers_pass(job)


def _validate(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.raw_tensors import validate_pass

    return validate_pass(job)


def _feeds(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.raw_tensors import feeds_pass

    return feeds_pass(job)


def _compare(job: Job) -> dict[str, Any]:
    from evit_deploy.benchmarks.raw_tensors import compare_pass

    return compare_pass(job)


MODES: Modes = {
    "facts": _facts,
    "conditions": _conditions,
    "latency": _latency,
    "memory": _memory,
    "count": _count,
    "profile": _profile,
    "operators": _operators,
    "answers": _answers,
    "validate": _validate,
    "feeds": _feeds,
    "compare": _compare,
}
# About the whole machine, or nothing that is timed.
UNPINNED = ("facts", "conditions", "validate", "feeds", "compare")


def hold(how: str, owner: Owner) -> int:
    """Hold this device's lock until stdin ends, which it does when whoever started us is gone.

    Prints one line of JSON: {"holder": null} as soon as the lock is held; with "try", {"holder": OWNER} if
    another has it, and ends; {"error": TEXT} if there can be no lock here, and ends.
    """
    lock = DeviceLock()

    def take() -> None:
        line: dict[str, Any]
        try:
            holder = lock.take(owner, wait=how == "wait")
            line = {"holder": None if holder is None else holder.as_dict()}
        except OSError as error:
            line = {"error": f"the lock {error.filename} cannot be opened: {error.strerror}"}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if line != {"holder": None}:
            os._exit(0)  # the main thread is still reading

    # A thread of its own, so that the end of stdin is noticed while we wait for the lock, too.
    threading.Thread(target=take, daemon=True).start()
    while os.read(0, 4096):
        pass
    os._exit(0)


def main(arguments: list[str], modes: Modes = MODES) -> int:
    """Do the job and leave the answer; the value is the process's exit code."""
    if arguments[0] == HOLD:
        return hold(arguments[1], Owner(**json.loads(arguments[2])))
    job_file, result_file = (Path(argument) for argument in arguments)
    job = json.loads(job_file.read_text(encoding="utf-8"))
    code = 0
    try:
        answer = {"result": _do(job, modes)}
    except EvitError as error:
        code = int(error.code)
        answer = {"error": {"kind": type(error).__name__, "code": code, "message": str(error)}}
    # Renamed into place: a reader never sees half an answer.
    part = result_file.with_suffix(".part")
    part.write_text(json.dumps(answer), encoding="utf-8")
    part.replace(result_file)
    return code


def _do(job: Job, modes: Modes) -> dict[str, Any]:
    if job["mode"] in UNPINNED:
        return modes[job["mode"]](job)
    cores = pin(job.get("cores", AUTO), job["threads"])
    return {**modes[job["mode"]](job), "cores": cores}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

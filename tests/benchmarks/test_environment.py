from __future__ import annotations

import json
import os
import platform

from evit_deploy.benchmarks import environment


def test_facts_are_plain_json_and_of_this_machine() -> None:
    facts = json.loads(json.dumps(environment.machine_facts()))
    assert facts["machine"] == platform.machine()
    assert facts["kernel"] == platform.release()
    assert facts["cpu_models"]
    assert [core["core"] for core in facts["cores"]] == sorted(os.sched_getaffinity(0))
    assert facts["memory_bytes"] > 1 << 20


def test_memory_of_this_process() -> None:
    peak, now = environment.memory_bytes("VmHWM"), environment.memory_bytes("VmRSS")
    assert peak is not None
    assert now is not None
    assert peak >= now > 1 << 20
    assert environment.memory_bytes("VmNothing") is None


def test_arm_cores_have_names() -> None:
    assert environment._cpu_model({"CPU part": "0xd0b"}) == "Cortex-A76"
    assert environment._cpu_model({"CPU part": "0xFFF"}) == "0xFFF"
    assert environment._cpu_model({"model name": "Something 9000"}) == "Something 9000"
    assert environment._cpu_model({}) == "unknown"

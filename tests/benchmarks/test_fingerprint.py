from __future__ import annotations

from typing import Any

import pytest

from evit_deploy.benchmarks.environment import machine_facts
from evit_deploy.benchmarks.fingerprint import differences, fingerprint, fingerprint_id

BOARD: dict[str, Any] = {
    "machine": "aarch64",
    "kernel": "6.6.31",
    "cores": [{"core": 0, "governor": "performance"}, {"core": 1, "governor": "performance"}],
    "runtimes": {"onnxruntime": {"version": "1.31.1", "libraries": {"libonnxruntime.so": "ab"}}},
    "memory_bytes": 8,
    "environment": {"kind": "private", "path": "/home/me/x", "wheels": {"numpy.whl": "cd"}},
}


def test_equal_machines_are_equal_wherever_their_files_lie() -> None:
    twin = {**BOARD, "memory_bytes": 16, "environment": {**BOARD["environment"], "path": "/home/you/x"}}
    assert differences(BOARD, twin) == []
    assert fingerprint_id(BOARD) == fingerprint_id(twin)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kernel": "6.1.0"}, "kernel: 6.6.31 / 6.1.0"),
        (
            {"cores": [BOARD["cores"][0], {"core": 1, "governor": "ondemand"}]},
            "cores[1].governor: performance / ondemand",
        ),
        (
            {"runtimes": {"onnxruntime": {"version": "1.31.1", "libraries": {"libonnxruntime.so": "ef"}}}},
            "runtimes.onnxruntime.libraries.libonnxruntime.so: ab / ef",
        ),
        ({"environment": {"wheels": {"numpy.whl": "00"}}}, "wheels.numpy.whl: cd / 00"),
        ({"libc": "musl"}, "libc: None / musl"),
    ],
)
def test_what_differs_is_named(change: dict[str, Any], named: str) -> None:
    other = {**BOARD, **change}
    assert differences(BOARD, other) == [named]
    assert fingerprint_id(BOARD) != fingerprint_id(other)


def test_another_number_of_cores() -> None:
    (difference,) = differences(BOARD, {**BOARD, "cores": BOARD["cores"][:1]})
    assert difference.startswith("cores: ")


def test_this_machines_fingerprint_is_the_same_twice() -> None:
    assert fingerprint_id(machine_facts()) == fingerprint_id(machine_facts())
    assert "memory_bytes" not in fingerprint(machine_facts())

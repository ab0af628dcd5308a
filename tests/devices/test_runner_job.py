"""What the native runner is told and what is read from it; no device is needed."""

from __future__ import annotations

from typing import Any

import pytest

from evit_deploy.devices.runner_job import measuring_arguments, read_answer, refuse, runtime_settings
from evit_deploy.errors import Exit, UserError

JOB: dict[str, Any] = {
    **{"mode": "latency", "threads": 2, "cores": "auto", "interpreter": "auto", "options": {}},
    **{"warmup_runs": 5, "warmup_s": 0.5, "runs": 30, "seconds": 2.0, "seed": 0},
}


def test_an_answer_is_a_line_and_bytes() -> None:
    answer = read_answer(b'{"load_ns": 7, "output_bytes": [2, 0, 3]}\n\n{\n12')
    assert answer.facts == {"load_ns": 7}
    assert answer.outputs == (b"\n{", b"", b"\n12")


def test_the_plan_is_passed_on() -> None:
    words = measuring_arguments({**JOB, "options": {"ort_spinning": False}})
    assert words[:3] == ["mode=latency", "threads=2", "cores=auto"]
    assert {"warmup_runs=5", "warmup_s=0.5", "runs=30", "seconds=2.0"} < set(words)
    assert words[-1] == "set:session.intra_op.allow_spinning=0"


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, {}),
        ({"ort_spinning": True}, {"session.intra_op.allow_spinning": "1"}),
        ({"ort_optimization": "all"}, {"optimization": "99"}),
        ({"xnnpack": False}, {"kernel_mode": '"builtin"'}),
    ],
)
def test_options_have_the_runtimes_names(options: dict[str, Any], settings: dict[str, str]) -> None:
    assert runtime_settings(options) == settings


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mode": "profile"}, "there is no profile"),
        ({"cores": "big"}, "--cores big"),
        ({"interpreter": "tensorflow"}, "--interpreter tensorflow"),
        ({"options": {"kleidiai": True}}, "--kleidiai"),
        ({"options": {"fp16": True}}, "--fp16"),
    ],
)
def test_what_it_cannot_be_told_is_refused(change: dict[str, Any], word: str) -> None:
    refuse(JOB, "adb:X")
    with pytest.raises(UserError, match=word) as caught:
        refuse({**JOB, **change}, "adb:X")
    assert caught.value.code == Exit.DEVICE

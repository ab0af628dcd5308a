from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evit_deploy.artifact import manifest_path, sha256_of
from evit_deploy.benchmarks.measure import QUICK, describe, measure
from evit_deploy.benchmarks.results import LATENCY, Result, result_from_dict
from evit_deploy.devices import LocalDevice, QemuDevice
from evit_deploy.errors import Exit, SetupError, UserError

PLAN = replace(QUICK, launches=2, runs=3, seconds=0.0, warmup_s=0.0, cool_s=0.0)


def quiet(step: str) -> None:
    pass


def test_launches_alternate_and_samples_are_kept(tiny_onnx: Path, tiny_tflite: Path) -> None:
    steps: list[str] = []
    result = measure([tiny_onnx, tiny_tflite], [LocalDevice()], PLAN, steps.append)
    assert [step.partition(" ")[0] for step in steps] == [
        *("tiny.onnx", "tiny.tflite", "tiny.tflite", "tiny.onnx"),
        *("tiny.onnx", "tiny.tflite"),
    ]
    assert len(steps) == PLAN.steps([LocalDevice()], 2)
    measurements = result.of_kind(LATENCY)
    assert [m.subject.name for m in measurements] == ["tiny.onnx", "tiny.tflite"]
    for measurement in measurements:
        assert [len(launch["samples_ns"]) for launch in measurement.launches] == [3, 3]
        assert measurement.memory is not None
    assert len(result.tool["agent_sha256"]) == 64
    assert result.devices["local"]["cpu_models"]
    assert result.plan["launches"] == 2


class HotDevice(LocalDevice):
    """This machine, whose frequency falls during some launches. `hot` says how many more."""

    hot = 0

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        launch = super().run_agent(job)
        if job["mode"] == LATENCY and self.hot:
            self.hot -= 1
            launch["before"]["khz"], launch["after"]["khz"] = {"0": 2_000_000}, {"0": 1_000_000}
        return launch


def test_a_throttled_launch_is_kept_apart_and_run_again(tiny_onnx: Path) -> None:
    device, steps = HotDevice(), list[str]()
    device.hot = 1
    (measurement,) = measure([tiny_onnx], [device], PLAN, steps.append).measurements
    assert [launch["throttled"] for launch in measurement.launches] == [[], []]
    (discarded,) = measurement.discarded
    assert discarded["throttled"] == ["core 0 runs at 1000 MHz, at first 2000"]
    assert discarded["samples_ns"]
    assert any(step.startswith("throttled, to be run again in 0 s: core 0") for step in steps)


def test_a_device_that_is_always_throttled_is_measured_as_it_is(tiny_onnx: Path) -> None:
    device = HotDevice()
    device.hot = 100
    (measurement,) = measure([tiny_onnx], [device], PLAN, quiet).measurements
    assert len(measurement.discarded) == PLAN.launches
    assert all(launch["throttled"] for launch in measurement.launches)


class UnpluggedDevice(LocalDevice):
    """This machine, which is gone after so many launches."""

    def __init__(self, launches: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = launches, error

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        if job["mode"] == LATENCY:
            self.left -= 1
            if self.left < 0:
                raise self.error
        return super().run_agent(job)


LOST = SetupError("board: the connection was lost", Exit.CONNECTION_LOST)


def interrupted(paths: list[Path], launches: int, error: BaseException = LOST) -> Result | None:
    """What is kept of a run that ends after so many launches, as read from its file."""
    kept: list[Result] = []
    with pytest.raises(type(error)):
        measure(paths, [UnpluggedDevice(launches, error)], PLAN, quiet, keep=kept.append)
    return result_from_dict(json.loads(json.dumps(kept[0].as_dict()))) if kept else None


@pytest.mark.parametrize("error", [LOST, KeyboardInterrupt()])
def test_what_was_measured_is_kept_and_can_be_gone_on_with(
    tiny_onnx: Path, tiny_tflite: Path, error: BaseException
) -> None:
    paths = [tiny_onnx, tiny_tflite]
    partial = interrupted(paths, 3, error)
    assert partial is not None
    assert partial.partial == (str(error) or "interrupted")
    assert partial.artifacts == tuple(map(str, paths))
    assert [(len(m.launches), m.memory) for m in partial.measurements] == [(1, None), (2, None)]
    steps: list[str] = []
    result = measure(paths, [LocalDevice()], PLAN, steps.append, earlier=partial)
    assert [step.partition(",")[0] for step in steps if "launch" in step] == ["tiny.onnx on local"]
    assert result.partial is None
    for now, then in zip(result.measurements, partial.measurements, strict=True):
        assert now.launches[: len(then.launches)] == then.launches
        assert len(now.launches) == PLAN.launches
        assert now.memory is not None


def test_a_complete_device_is_not_opened_again(tiny_onnx: Path) -> None:
    result = measure([tiny_onnx], [LocalDevice()], PLAN, quiet)
    again = measure([tiny_onnx], [UnpluggedDevice(0, LOST)], PLAN, quiet, earlier=result)
    assert again.measurements == result.measurements


def test_nothing_is_kept_where_nothing_was_measured(tiny_onnx: Path) -> None:
    assert interrupted([tiny_onnx], 0) is None


def test_what_differs_is_refused(tiny_onnx: Path, tiny_tflite: Path) -> None:
    partial = interrupted([tiny_onnx], 1)
    assert partial is not None
    other = replace(PLAN, threads=2)
    with pytest.raises(UserError, match="the plan differs: threads 1 then, 2 now"):
        measure([tiny_onnx], [LocalDevice()], other, quiet, earlier=partial)
    with pytest.raises(UserError, match="the program differs: agent_sha256 x then"):
        earlier = replace(partial, tool={**partial.tool, "agent_sha256": "x"})
        measure([tiny_onnx], [LocalDevice()], PLAN, quiet, earlier=earlier)
    with pytest.raises(SetupError, match=r"not as it was when the earlier launches .* kernel: 1\.0 / "):
        earlier = replace(partial, devices={"local": {**partial.devices["local"], "kernel": "1.0"}})
        measure([tiny_onnx], [LocalDevice()], PLAN, quiet, earlier=earlier)
    with pytest.raises(UserError, match="the set of devices differs: local local then, None now"):
        measure([tiny_onnx], [QemuDevice()], PLAN, quiet, earlier=partial)
    tiny_onnx.write_bytes(tiny_onnx.read_bytes() + b"\0")
    with pytest.raises(UserError, match="is another file now"):
        measure([tiny_onnx], [LocalDevice()], PLAN, quiet, earlier=partial)


def test_subject_is_identified_by_its_hash(tiny_onnx: Path) -> None:
    subject = describe(tiny_onnx)
    assert subject.sha256 == sha256_of(tiny_onnx)
    assert (subject.format, subject.manifest) == ("onnx", None)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file") as caught:
        describe(tmp_path / "x.onnx")
    assert caught.value.code == Exit.ARTIFACT_MISSING


def test_a_manifest_that_is_none(tiny_onnx: Path) -> None:
    manifest_path(tiny_onnx).write_text('{"schema": 0}')
    with pytest.raises(UserError, match="not a manifest") as caught:
        describe(tiny_onnx)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE

"""Native benchmark programs: what they print is read, and what cannot be run is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from devices.print_program import write_print_program

from evit_deploy.devices import resolve
from evit_deploy.devices.native import NativeDevice
from evit_deploy.devices.native_output import read_benchmark_model, read_perf_test
from evit_deploy.devices.native_programs import check_program
from evit_deploy.errors import Exit, SetupError, UserError

# As TensorFlow 2.4 and later print it, shortened; the first count is that of the warm-up.
BENCHMARK_MODEL = """\
STARTING!
Graph: [/data/local/tmp/model.tflite]
Loaded model /data/local/tmp/model.tflite
The input model file size (MB): 16.9008
Initialized session in 17.187ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=2 first=3512391 curr=3000000 min=3000000 max=3512391 avg=3.2562e+06 std=256195

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798{more}

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.2562e+06, \
Inference (avg): 2.95034e+06
Memory footprint delta from the start of the tool (MB): init=4.21094 overall=46.0859
"""
NEWER = " p5=2800000 median=2940000 p95=3100000"
PERF_TEST = """\
Setting intra_op_num_threads to 1
Session creation time cost: 0.217932 s
First inference time cost: 196 ms
Total inference time cost: 0.49481 s
Total inference requests: 5
Average inference time cost total: 98.961997 ms
Number of inferences per second: 10.104
Peak working set size: 271122432 bytes
Min Latency: 0.0958204 s
Max Latency: 0.101519 s
P50 Latency: 0.0995086 s
P90 Latency: 0.101519 s
"""


def test_benchmark_model_gives_a_mean() -> None:
    launch = read_benchmark_model(BENCHMARK_MODEL.format(more=""))
    assert launch["samples_ns"] == [2_950_340_000]
    assert launch["runs_per_sample"] == 50
    assert (launch["load_ns"], launch["first_ns"]) == (17_187_000, 3_512_391_000)
    assert launch["printed"]["figure"] == "mean"
    assert (launch["printed"]["min_ns"], launch["printed"]["std_ns"]) == (2_727_568_000, 109_798_000)


def test_a_newer_benchmark_model_gives_a_median() -> None:
    launch = read_benchmark_model(BENCHMARK_MODEL.format(more=NEWER))
    assert launch["samples_ns"] == [2_940_000_000]
    assert (launch["printed"]["figure"], launch["printed"]["p95_ns"]) == ("median", 3_100_000_000)


def test_lines_may_have_a_log_tag() -> None:
    tagged = "".join(f"INFO: {line}\n" for line in BENCHMARK_MODEL.format(more="").splitlines())
    assert read_benchmark_model(tagged) == read_benchmark_model(BENCHMARK_MODEL.format(more=""))


def test_perf_test_gives_median_p90_and_memory() -> None:
    launch = read_perf_test(PERF_TEST)
    assert launch["samples_ns"] == [99_508_600]
    assert launch["runs_per_sample"] == 5
    assert (launch["load_ns"], launch["first_ns"]) == (217_932_000, 196_000_000)
    assert launch["printed"]["p90_ns"] == pytest.approx(101_519_000)
    assert launch["printed"]["peak_bytes"] == 271_122_432


@pytest.mark.parametrize(
    ("text", "said"), [("", "nothing"), ("ERROR: Failed to load model\n\n", "ERROR: Failed to load model")]
)
def test_no_result(text: str, said: str) -> None:
    with pytest.raises(
        SetupError, match=f"benchmark_model printed no result; its last words: {said}"
    ) as caught:
        read_benchmark_model(text)
    assert caught.value.code == Exit.RUNTIME


def test_only_programs_for_arm_are_taken(tmp_path: Path) -> None:
    check_program(write_print_program(tmp_path / "arm", "hello"))
    other = bytearray((tmp_path / "arm").read_bytes())
    other[18] = 62  # x86-64
    (tmp_path / "x86").write_bytes(other)
    for name in ("x86", "nosuch"):
        with pytest.raises(UserError, match=f"native runner .*{name}: ") as caught:
            check_program(tmp_path / name)
        assert caught.value.code == Exit.DEVICE


def test_where_a_program_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = write_print_program(tmp_path / "benchmark_model", "hello")
    monkeypatch.setenv("EVIT_CONFIG", str(tmp_path / "user.toml"))
    (tmp_path / "user.toml").write_text(
        '[devices.phone]\ntarget = "adb:R58M123ABC"\nnative-runner = "benchmark_model"\n'
    )
    monkeypatch.chdir(tmp_path)
    assert isinstance(resolve("phone"), NativeDevice)
    assert not isinstance(resolve("adb:"), NativeDevice)
    monkeypatch.setenv("EVIT_NATIVE_RUNNER", str(program))
    assert isinstance(resolve("adb:"), NativeDevice)

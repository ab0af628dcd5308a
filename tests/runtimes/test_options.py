"""Options of the runtimes: obeyed, which shows in what they do, or refused."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.errors import EvitError, Exit, SetupError, UserError
from evit_deploy.runtimes import ORT_OPTIMIZATIONS, Runner, RuntimeOptions, open_runner
from evit_deploy.runtimes.options import options_for, refuse_unused, require_fp16, require_kleidiai
from evit_deploy.runtimes.ort import _LEVELS, _session_options, load_onnxruntime


def has_fp16() -> bool:
    try:
        require_fp16()
    except SetupError:
        return False
    return True


def run(runner: Runner) -> np.ndarray:
    with runner:
        generator = np.random.default_rng(0)
        feeds = {i.name: generator.standard_normal(i.shape, dtype=np.float32) for i in runner.inputs}
        return next(iter(runner.run(feeds).values()))


@pytest.mark.parametrize("level", ORT_OPTIMIZATIONS)
@pytest.mark.parametrize("spinning", [False, True])
def test_onnxruntime_is_told(tiny_onnx: Path, level: str, spinning: bool) -> None:
    options = RuntimeOptions(ort_optimization=level, ort_spinning=spinning)
    settings = _session_options(load_onnxruntime(), 2, options)
    assert settings.graph_optimization_level.name == _LEVELS[level]
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == str(int(spinning))
    expected = run(open_runner(tiny_onnx))
    got = run(open_runner(tiny_onnx, threads=2, options=options))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_without_xnnpack_no_delegate_takes_anything(tiny_tflite: Path) -> None:
    def kinds(options: RuntimeOptions) -> list[str]:
        with open_runner(tiny_tflite, options=options) as runner:
            return [str(node["op_name"]) for node in runner.nodes()]  # type: ignore[attr-defined]

    assert "DELEGATE" in kinds(RuntimeOptions(xnnpack=True))
    assert "DELEGATE" not in kinds(RuntimeOptions(xnnpack=False))


@pytest.mark.skipif(not has_fp16(), reason="this processor has no float16 arithmetic")
def test_float16_computes_in_float16(tiny_tflite: Path) -> None:
    expected = run(open_runner(tiny_tflite))
    runner = open_runner(tiny_tflite, options=RuntimeOptions(fp16=True))
    assert (runner.name, runner.inputs[0].dtype) == ("litert", "float32")
    error = np.abs(run(runner) - expected).max() / np.abs(expected).max()
    # float16 has 11 bits: nothing computed in it for real is closer than this, nor this far off.
    assert 1e-6 < error < 1e-2


@pytest.mark.skipif(not has_fp16(), reason="this processor has no float16 arithmetic")
def test_float16_and_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"x\.tflite") as caught:
        open_runner(path, options=RuntimeOptions(fp16=True))
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"ort_optimization": "most"}, "disabled, basic, extended, all"),
        ({"fp16": True, "xnnpack": False}, "cannot be had with XNNPACK off"),
    ],
)
def test_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        RuntimeOptions(**values)  # type: ignore[arg-type]


def test_float16_is_litert_only(tiny_tflite: Path) -> None:
    with pytest.raises(UserError, match="use litert"):
        open_runner(tiny_tflite, interpreter="tensorflow", options=RuntimeOptions(fp16=True))


@pytest.mark.skipif(platform.machine() == "aarch64", reason="there it can be switched")
def test_kleidiai_elsewhere_is_refused(tiny_onnx: Path) -> None:
    with pytest.raises(EvitError, match="aarch64 only") as caught:
        open_runner(tiny_onnx, options=RuntimeOptions(kleidiai=False))
    assert caught.value.code == Exit.DEVICE


def test_kleidiai_needs_a_build_that_knows_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    (tmp_path / "libonnxruntime.so.1").write_bytes(b"\x7fELF mlas.disable_kleidiai\0")
    require_kleidiai(tmp_path, "1.31.1", "mlas.disable_kleidiai")
    (tmp_path / "libonnxruntime.so.1").write_bytes(b"\x7fELF")
    with pytest.raises(SetupError, match=r"1\.20 has no KleidiAI switch"):
        require_kleidiai(tmp_path, "1.20", "mlas.disable_kleidiai")


def test_a_file_gets_the_options_for_its_format_and_no_default() -> None:
    options = RuntimeOptions(ort_spinning=False, xnnpack=True)
    assert options.given() == {"ort_spinning": False, "xnnpack": True}
    assert options_for(Path("x.onnx"), options) == {"ort_spinning": False}
    assert options_for(Path("x.tflite"), options) == {"xnnpack": True}


def test_an_option_for_none_of_the_files_is_refused() -> None:
    options = RuntimeOptions(ort_spinning=False)
    refuse_unused(options, [Path("x.tflite"), Path("x.onnx")])
    with pytest.raises(UserError, match=r"--ort-spinning is for \.onnx files"):
        refuse_unused(options, [Path("x.tflite")])

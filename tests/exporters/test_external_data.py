"""Graphs whose weights take a second file; the limit is lowered so that small ones do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evit_deploy.artifact import data_path, manifest_path, read_manifest, sha256_of
from evit_deploy.benchmarks.plan import Plan, job_of
from evit_deploy.devices.local import LocalDevice
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.errors import Exit, ParityError, UserError
from evit_deploy.exporters import external_data, onnx_simplify
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.external_data import SplitGraph, content_of, files_of, move_graph, write_content
from evit_deploy.exporters.graph_tensors import onnx_tensors
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.onnx_simplify import simplified
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.models.own_models import own_model
from evit_deploy.models.weights import resolve_weights
from evit_deploy.runtimes import open_runner

CONFIG = {
    "name": "small",
    "base": "b",
    "widths": [8, 8, 8, 16, 16],
    "depths": [0, 1, 1, 1, 1],
    "dim": 8,
    "classes": 4,
    "resolution": [32, 32],
    "crop": 1.0,
    "norm_eps": 1e-5,
    "classification": {"widths": [16, 24]},
}


@pytest.fixture(scope="module")
def low_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_data, "LARGEST_FILE_BYTES", 10_000)
        patch.setattr(onnx_simplify, "ASIDE_FROM_BYTES", 10_000)
        patch.setattr(onnx_simplify, "LARGE_BYTES", 2_000)
        yield


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ExportJob:
    spec = own_model(CONFIG, Path("small.toml"))
    options = ExportOptions("onnx", spec.resolution).settled(spec)
    return ExportJob(spec, options, resolve_weights(spec, "random"), tmp_path_factory.mktemp("external"))


@pytest.fixture(scope="module")
def exported(job: ExportJob, low_limit: None) -> Exported:
    return export(job)


def test_an_artifact_in_two_files(exported: Exported) -> None:
    """Verified as any other, and both files are in the manifest."""
    data = data_path(exported.path)
    names = {path.name for path in exported.path.parent.iterdir()}
    assert names == {exported.path.name + ending for ending in ("", ".data", ".json", ".check.npz")}
    facts = read_manifest(exported.path)
    assert facts is not None and facts.graph.data == {
        "sha256": sha256_of(data),
        "size_bytes": data.stat().st_size,
    }
    assert facts.graph.size_bytes == data.stat().st_size + exported.path.stat().st_size
    assert data.stat().st_size > 10_000 and facts.graph.sha256 == sha256_of(exported.path)
    assert exported.report.worst.comparison.sqnr_db > 100


@pytest.mark.slow
def test_the_graph_is_the_same_as_in_one_file(exported: Exported, job: ExportJob, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_data, "LARGEST_FILE_BYTES", 2_000_000_000)
        patch.setattr(onnx_simplify, "ASIDE_FROM_BYTES", 1 << 29)
        single = export(replace(job, output=tmp_path)).path
    assert not data_path(single).exists()
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    outputs = []
    for path in (single, exported.path):
        with open_runner(path) as runner:
            outputs.append(runner.run({"image": image})["logits"])
    assert np.allclose(*outputs, rtol=1e-5, atol=1e-6)
    ops = [[node.op_type for node in onnx.load(str(p)).graph.node] for p in (single, exported.path)]
    assert ops[0] == ops[1]


def test_verified_again_and_refused_with_another_second_file(exported: Exported, tmp_path: Path) -> None:
    verified = verify_artifact(exported.path, weights=None, interpreter="auto", step=lambda _: None)
    assert verified.wrong is None
    copy = copied(exported.path, tmp_path)
    content = bytearray(data_path(copy).read_bytes())
    content[5] ^= 1
    data_path(copy).write_bytes(content)
    with pytest.raises(UserError, match="is not what was exported with") as caught:
        verify_artifact(copy, weights=None, interpreter="auto", step=lambda _: None)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_without_its_second_file(exported: Exported, tmp_path: Path) -> None:
    copy = copied(exported.path, tmp_path)
    data_path(copy).unlink()
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        verify_artifact(copy, weights=None, interpreter="auto", step=lambda _: None)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_moved_together(exported: Exported, tmp_path: Path) -> None:
    copy = copied(exported.path, tmp_path)
    move_graph(copy, tmp_path / "other.failed.onnx")
    assert [path.name for path in files_of(tmp_path / "other.failed.onnx")] == [
        "other.failed.onnx.data",
        "other.failed.onnx",
    ]
    assert not copy.exists() and not data_path(copy).exists()
    with open_runner(tmp_path / "other.failed.onnx") as runner:
        assert runner.outputs[0].shape == (1, 4)


def test_all_of_its_tensors_can_be_looked_at(exported: Exported) -> None:
    before = sorted(exported.path.parent.iterdir())
    tensors = onnx_tensors(exported.path, np.zeros((1, 3, 32, 32), np.float32))
    assert tensors["logits"].shape == (1, 4) and len(tensors) > 20
    assert sorted(exported.path.parent.iterdir()) == before


def halved(graph: Path, content: object, pack: object = None) -> None:
    assert isinstance(content, SplitGraph)
    halves = tuple((at, (np.frombuffer(b, np.float32) / 2).tobytes()) for at, b in content.weights)
    write_content(graph, SplitGraph(content.graph, halves))


def test_what_fails_is_kept_in_both_files(
    job: ExportJob, low_limit: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evit_deploy.exporters.convert.write_content", halved)
    with pytest.raises(ParityError, match="kept as"):
        export(replace(job, output=tmp_path, keep_failed=True))
    failed = tmp_path / f"{job.name}.failed.onnx"
    files = {failed, data_path(failed), manifest_path(failed)}
    assert set(tmp_path.iterdir()) == files
    with open_runner(failed) as runner:
        assert runner.outputs[0].shape == (1, 4)


@pytest.mark.slow
def test_nothing_is_left_of_what_fails(
    job: ExportJob, low_limit: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evit_deploy.exporters.convert.write_content", halved)
    with pytest.raises(ParityError, match="nothing was written"):
        export(replace(job, output=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16-weights", "int8"])
def test_other_precisions_are_refused(
    job: ExportJob, low_limit: None, tmp_path: Path, precision: str
) -> None:
    options = replace(job.options, precision=precision)
    with pytest.raises(UserError, match="only --precision fp32 can have"):
        export(replace(job, options=options, output=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_two_files_are_not_packed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only --precision fp32 can have"):
        write_content(tmp_path / "a.onnx", SplitGraph(b"", ()), lambda content: content)
    assert list(tmp_path.iterdir()) == []


def test_only_this_machine_takes_two_files(exported: Exported) -> None:
    with LocalDevice() as device:
        assert job_of(device, exported.path, Plan())["graph"] == str(exported.path)
    with pytest.raises(UserError, match="which only --device local takes") as caught:
        job_of(QemuDevice("cortex-a76"), exported.path, Plan())
    assert caught.value.code == Exit.DEVICE


def copied(graph: Path, folder: Path) -> Path:
    for path in graph.parent.iterdir():
        shutil.copy(path, folder)
    return folder / graph.name


def weights(count: int) -> onnx.ModelProto:
    """y = x W_1 ... W_n, each 32x32: 4096 bytes; one more that nobody uses, and one that is small."""
    values = np.random.default_rng(1).standard_normal((count + 1, 32, 32)).astype(np.float32)
    tensors = [numpy_helper.from_array(value, f"w{i}") for i, value in enumerate(values)]
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(count)]
    shift = numpy_helper.from_array(np.ones(1, np.float32), "shift")
    nodes.append(helper.make_node("Add", [f"x{count}", "shift"], ["y"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 32]) for name in ("x0", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [*tensors, shift])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_large_weights_stand_aside_and_come_back(low_limit: None) -> None:
    model = weights(3)
    before = {t.name: t.raw_data for t in model.graph.initializer}
    result = simplified(model)
    after = {t.name: t.raw_data for t in result.graph.initializer}
    assert [value.name for value in result.graph.input] == ["x0"]
    assert after == {name: value for name, value in before.items() if name != "w3"}


def test_offsets_are_aligned_and_small_tensors_stay(low_limit: None, tmp_path: Path) -> None:
    content = content_of(weights(3), "a.onnx")
    assert isinstance(content, SplitGraph)
    assert [offset for offset, _ in content.weights] == [0, 4096, 8192, 12288]
    write_content(tmp_path / "a.onnx", content)
    model = onnx.load(str(tmp_path / "a.onnx"), load_external_data=False)
    inside = [t.name for t in model.graph.initializer if t.data_location != TensorProto.EXTERNAL]
    assert inside == ["shift"]
    onnx.checker.check_model(str(tmp_path / "a.onnx"), full_check=True)


def test_what_fits_stays_in_one_file(tmp_path: Path) -> None:
    content = content_of(weights(1), "a.onnx")
    assert isinstance(content, bytes)
    write_content(tmp_path / "a.onnx", content, lambda written: written + b"!")
    assert (tmp_path / "a.onnx").read_bytes() == content + b"!"
    assert files_of(tmp_path / "a.onnx") == (tmp_path / "a.onnx",)

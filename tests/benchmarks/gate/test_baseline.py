from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.artifact import to_json
from evit_deploy.benchmarks.gate.baseline import SCHEMA_VERSION, Baseline, read_baseline, update_baseline
from evit_deploy.benchmarks.gate.facts import Counted, Delegate, Facts, Parity
from evit_deploy.benchmarks.results import Result, write_result
from evit_deploy.errors import Exit, UserError

FACTS = Facts(
    size_bytes=1000,
    operators={"Conv": {"head": 2}},
    macs=12,
    weights={"float32": 7},
    precision="float32",
    inputs={"image": "float32 1x3x8x8"},
    outputs={"logits": "float32 1x4"},
    layouts={"image": "NCHW"},
    made_from={"source": "random", "seed": 0},
    rewrites=("batch-norm-fold",),
    tools={"torch": "2"},
    delegate=Delegate(1, ("PADV2 in head",), "litert 2.3.0"),
    parity=Parity(120.0, 1.0, False, "onnxruntime 1.31.1"),
    instructions={"qemu:cortex-a76": Counted({"branch": 5}, {"onnxruntime": "1.31.1"}, {"head": 4})},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "deeper" / "b.json"
    update_baseline(file, {"a.onnx": FACTS}, set())
    assert read_baseline(file) == Baseline({"a.onnx": FACTS})


def test_the_file_has_a_line_for_each_fact(tmp_path: Path) -> None:
    """So that a diff shows what changed and nothing else."""
    file = tmp_path / "b.json"
    update_baseline(file, {"a.onnx": FACTS, "b.onnx": FACTS}, set())
    before = file.read_text().splitlines()
    update_baseline(file, {"b.onnx": Facts(**{**vars(FACTS), "macs": 13})}, set())
    after = file.read_text().splitlines()
    differing = [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new]
    assert differing == [('"macs": 12,', '"macs": 13,')]


def test_what_others_wrote_stays_and_what_is_gone_goes(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    update_baseline(file, {"a.onnx": FACTS, "b.onnx": FACTS}, set())
    update_baseline(file, {"c.onnx": FACTS}, {"b.onnx"})
    assert list(read_baseline(file).artifacts) == ["a.onnx", "c.onnx"]


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from evit_deploy.benchmarks.gate.baseline import update_baseline\n"
        "from evit_deploy.benchmarks.gate.facts import Facts\n"
        "for i in range(40): update_baseline(Path(sys.argv[1]), {f'{sys.argv[2]}-{i}': Facts(i)}, set())\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, file, name]) for name in ("a", "b", "c")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert set(read_baseline(file).artifacts) == {f"{name}-{i}" for name in "abc" for i in range(40)}
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def refusal(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_baseline(file)
    return str(caught.value)


def test_every_way_of_being_no_baseline_says_which(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    assert "no baseline: there is no" in refusal(file)
    for damaged in (
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"schema": 1}',
        to_json({"schema": 1, "artifacts": {"a": {}}}),
    ):
        file.write_bytes(damaged)
        assert "damaged baseline" in refusal(file), damaged
    file.write_bytes(to_json({"schema": SCHEMA_VERSION + 1, "artifacts": {}, "more": 1}))
    assert f"reads up to {SCHEMA_VERSION}: it was written by a newer evit-deploy" in refusal(file)
    assert "Is a directory" in refusal(tmp_path)


def test_a_read_only_baseline_is_not_written(tmp_path: Path) -> None:
    """Not even by root, and not by way of the folder."""
    file = tmp_path / "b.json"
    update_baseline(file, {"a.onnx": FACTS}, set())
    content = file.read_bytes()
    file.chmod(0o444)
    with pytest.raises(UserError, match=r"b.json: the baseline is read-only; make it writable") as caught:
        update_baseline(file, {"b.onnx": FACTS}, set())
    assert caught.value.code == Exit.OUTPUT
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write a baseline into"):
        update_baseline(tmp_path / "file" / "b.json", {"a.onnx": FACTS}, set())


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    file.write_text("{")
    with pytest.raises(UserError, match="damaged"):
        update_baseline(file, {"a.onnx": FACTS}, set())
    assert file.read_text() == "{"


def test_a_baseline_of_the_first_schema_is_migrated(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    facts = FACTS.as_dict()
    del facts["sha256"]
    file.write_bytes(to_json({"schema": 1, "artifacts": {"a.onnx": facts}}))
    assert read_baseline(file) == Baseline({"a.onnx": FACTS})
    update_baseline(file, {}, set())
    assert json.loads(file.read_text())["schema"] == SCHEMA_VERSION


@pytest.mark.parametrize("schema", [1, 2])
def test_a_result_is_a_baseline_too(result: Result, tmp_path: Path, schema: int) -> None:
    ends = {"outputs": [{"name": "logits", "dtype": "float32", "shape": [1, 4]}]}
    ends |= {"runtime": {"name": "litert", "version": "2.3.0"}}
    measurements = tuple(
        replace(m, launches=tuple({**launch, **ends} for launch in m.launches)) for m in result.measurements
    )
    file = tmp_path / "r.json"
    write_result(replace(result, measurements=measurements), file)
    file.write_bytes(to_json({**json.loads(file.read_text()), "schema": schema}))
    facts = read_baseline(file).artifacts["b1.tflite"]
    assert (facts.size_bytes, facts.operators) == (1234, None)
    assert facts.instructions["cortex-a76 (emulated)"].total == 3_000_050
    assert facts.outputs == {"logits": "float32 1x4"}

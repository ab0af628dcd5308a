"""Which commands are run for the table of accuracy by precision, and what is made of their output."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from evit_deploy.benchmarks import precision_accuracy
from evit_deploy.benchmarks.results import COUNT, Measurement, Result, Subject
from evit_deploy.benchmarks.test_beds.make import BedFiles

MILLIONS = {"fp32": 100, "fp16-weights": 100, "fp16": 60, "int8": 45}
ACCURACIES = {"fp32": 74.0, "fp16-weights": 74.0, "fp16": 73.9, "int8": 73.2}


class Commands:
    """Stands for the commands: files where an export would be, figures by precision."""

    def __init__(self) -> None:
        self.given: list[tuple[str, ...]] = []

    def __call__(self, command: str, *arguments: str) -> str:
        self.given.append((command, *arguments))
        graphs = [a for a in arguments if a.endswith((".onnx", ".tflite"))]
        if command == "export":
            options = dict(itertools.pairwise(arguments))
            folder = Path(options["-o"])
            folder.mkdir(parents=True)
            name = f"seg-{options['--precision']}.{options['--format']}"
            (folder / name).write_bytes(b"x" * 1_250_000)
            return ""
        return json.dumps(evaluation(graphs) if command == "eval" else counts(graphs))

    def of(self, command: str) -> list[tuple[str, ...]]:
        return [given for given in self.given if given[0] == command]


def precision_in(graph: str) -> str:
    return Path(graph).stem.removeprefix("seg-")


def evaluation(graphs: list[str]) -> dict[str, object]:
    accuracies = {Path(graph).name: ACCURACIES[precision_in(graph)] for graph in graphs}
    models = {**accuracies, "PyTorch": 74.1}
    return {
        "models": [{"name": n, "metrics": {"miou_percent": a, "images": 200}} for n, a in models.items()],
        "comparisons": [
            {"name": name, "reference": "PyTorch", "difference": accuracy - 74.1, "interval": [-2.0, 1.0],
             "agreement_percent": 99.5}
            for name, accuracy in accuracies.items()
        ],
    }  # fmt: skip


def counts(graphs: list[str]) -> dict[str, object]:
    measurements = []
    for graph in graphs:
        regions = {"0": {}, "1": {"simd_load": MILLIONS[precision_in(graph)] * 1_000_000}}
        launch = {"counts": regions, "parity": {"sqnr_db": 41.5, "finite": True}}
        subject = Subject(graph, Path(graph).name, Path(graph).suffix[1:], "ab" * 32, 1, None)
        measurements.append(Measurement(subject, "cortex-a76 (emulated)", COUNT, 1, (launch,)))
    return Result("2026-01-02T03:04:05+00:00", {}, {}, {}, tuple(measurements)).as_dict()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    commands = Commands()
    monkeypatch.setattr(precision_accuracy, "run_own", commands)
    monkeypatch.setattr(
        precision_accuracy,
        "make_bed",
        lambda bed, _step: BedFiles(bed, tmp_path / "bed", tmp_path / "weights"),
    )
    monkeypatch.setattr(
        precision_accuracy,
        "read_manifest",
        lambda graph: SimpleNamespace(format=graph.suffix[1:], precision=precision_in(str(graph))),
    )
    return commands


def test_every_precision_is_exported_evaluated_and_counted(commands: Commands, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- begin: written by the command above -->\n<!-- end -->\n")
    arguments = ["scenes", "-o", str(tmp_path / "out"), "--device-limit", "7", "--docs", str(page)]
    done = CliRunner().invoke(precision_accuracy.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert len(commands.of("export")) == sum(map(len, precision_accuracy.PRECISIONS.values()))
    for given in commands.of("export"):
        assert ("--calibration" in given) == (given[given.index("--precision") + 1] in ("fp16", "int8"))
    others, forced, there = commands.of("eval")
    assert "--fp16" in forced and "--fp16" not in others + there
    assert [Path(a).name for a in forced if a.endswith(".tflite")] == ["seg-fp16.tflite"]
    assert not any(a.endswith("seg-fp16.tflite") for a in others)
    assert there[there.index("--limit") + 1] == "7"
    assert "--limit" not in others
    text = page.read_text()
    assert "| tflite | int8 | 1.25 | 45.0 | 0.450 | 41.5 | 73.20, -0.90 (-2.00 .. +1.00), 99.50 |" in text
    assert "PyTorch in float32 has 74.10 % mIoU on 200 test images" in text

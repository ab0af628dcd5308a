from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from report_samples import B1, compare_report, sample_history, sample_profile, sample_result

from evit_deploy.artifact import to_json
from evit_deploy.benchmarks.report.accuracy import NONE_GIVEN, PUBLISHED, Accuracies, read_accuracies
from evit_deploy.benchmarks.report.history import lines_of, points_from_json
from evit_deploy.benchmarks.report.sources import read_sources
from evit_deploy.benchmarks.results import Subject
from evit_deploy.errors import Exit, UserError
from evit_deploy.models.zoo import MODELS


def written(folder: Path, name: str, data: Any) -> Path:
    path = folder / name
    path.write_bytes(to_json(data))
    return path


def test_each_file_is_recognised_by_what_is_in_it(tmp_path: Path) -> None:
    things = (sample_result(), compare_report(), sample_profile())
    paths = [written(tmp_path, f"{i}.json", thing.as_dict()) for i, thing in enumerate(things)]
    sources = read_sources(paths)
    assert len(sources.results) == len(sources.reports) == len(sources.profiles) == 1
    assert sources.reports[0] == compare_report()
    assert sources.profiles[0] == sample_profile()
    assert sources.results[0] == sample_result()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "got a JSON list, expected a result .*a history goes to --history"),
        ("3", "got a JSON int"),
        ('{"graph": {}, "weights": 1}', "got a JSON object with graph, weights, expected a result"),
        ('{"checks": 1, "baseline": 2, "schema": 1}', "not a report that this program reads"),
        ('{"checks": [], "baseline": 2, "schema": 99}', "schema 99"),
        ('{"measurements": [{}], "plan": {}, "schema": 2}', "not a result that this program reads"),
        (
            '{"measurements": [], "plan": {}, "schema": 2, "created": "", "tool": {}, "devices": {}, '
            '"predictions": [{}]}',
            "not a result that this program reads .KeyError",
        ),
        ('{"costs": [1], "unit": "ns", "schema": 1}', "not a profile that this program reads"),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        read_sources([path])
    assert caught.value.code == Exit.USAGE
    assert str(path) in str(caught.value)


def test_a_check_whose_number_is_none_is_refused(tmp_path: Path) -> None:
    data = compare_report().as_dict()
    data["checks"][0]["ratio"] = "fast"
    with pytest.raises(UserError, match="ratio is 'fast', expected a number"):
        read_sources([written(tmp_path, "r.json", data)])


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_sources([tmp_path / "none.json"])


def test_history_by_line_in_the_order_of_time() -> None:
    points = sample_history()
    data = [asdict(point) for point in reversed(points)]
    lines = lines_of(points_from_json(Path("h.json"), data))
    assert [(line[3], len(found)) for line, found in lines.items()] == [("instructions", 30), ("latency", 30)]
    assert all([p.date for p in found] == sorted(p.date for p in found) for found in lines.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": "fast"}, "point 1: value is 'fast', expected a number"),
        ({"value": None}, "value is None"),
        ({"low": True}, "low is True"),
    ],
)
def test_a_point_that_is_none(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        points_from_json(Path("h.json"), [{**asdict(sample_history()[0]), **change}])


def test_a_history_that_is_none() -> None:
    with pytest.raises(UserError, match="expected a list of points"):
        points_from_json(Path("h.json"), {"points": []})
    with pytest.raises(UserError, match="point 1 has no 'artifact'"):
        points_from_json(Path("h.json"), [{}])


def test_published_accuracies_are_those_of_the_models() -> None:
    known = [spec for spec in MODELS if spec.num_classes is not None and spec.accuracy is not None]
    models = {(spec.name, spec.resolution): spec.accuracy for spec in known}
    # Of Cityscapes' B0 as of all.
    assert {key: PUBLISHED[key] for key in models} == models
    names = {spec.name for spec in MODELS}
    assert all(name in names for name, _ in PUBLISHED)


def subject(**manifest: Any) -> Subject:
    tensor = {"layout": "NCHW", "shape": [1, 3, 224, 224]}
    known = {"model": "efficientvit-b1", "task": "classification", "inputs": [tensor], **manifest}
    return Subject(f"{B1}.onnx", f"{B1}.onnx", "onnx", "", 1, known)


def test_given_accuracy_comes_before_the_published() -> None:
    published = NONE_GIVEN.of(subject())
    assert published is not None and (published.percent, published.published) == (79.39, True)
    for name in (f"{B1}.onnx", B1, "efficientvit-b1"):
        given = Accuracies({name: 60.0}).of(subject())
        assert given is not None and (given.percent, given.published) == (60.0, False)


def test_another_network_or_size_has_no_published_accuracy() -> None:
    assert NONE_GIVEN.of(subject(options={"upsample": "bilinear"})) is None
    assert NONE_GIVEN.of(subject(model="mine")) is None
    assert NONE_GIVEN.of(subject(inputs=[{"layout": "NCHW", "shape": [1, 3, 96, 96]}])) is None
    assert NONE_GIVEN.of(Subject("a.onnx", "a.onnx", "onnx", "", 1, None)) is None


def test_results_of_evaluations_are_accuracy_files(tmp_path: Path) -> None:
    models = [
        {"identity": {"file": "a.onnx"}, "metrics": {"top1_percent": 79.4}},
        {"identity": {"file": "s.tflite"}, "metrics": {"miou_percent": 75.6}},
        {"identity": {"file": "none.onnx"}, "metrics": {"miou_percent": None}},
        {"identity": {"model": "efficientvit-b1"}, "metrics": {"top1_percent": 80.0}},
    ]
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"kind": "evaluation", "schema": 1, "models": models}))
    assert read_accuracies(path) == Accuracies({"a.onnx": 79.4, "s.tflite": 75.6})
    path.write_text(json.dumps({"kind": "evaluation", "models": [{}]}))
    with pytest.raises(UserError, match="no result of evit-eval that can be read"):
        read_accuracies(path)


def test_accuracy_files(tmp_path: Path) -> None:
    table, values = tmp_path / "a.csv", tmp_path / "a.json"
    table.write_text("artifact,accuracy,by\nx.onnx,71.5,me\n")
    values.write_text('{"x.onnx": 71.5}')
    assert read_accuracies(table) == read_accuracies(values) == Accuracies({"x.onnx": 71.5})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "name,top1\n", "expected the columns"),
        ("a.csv", "artifact,accuracy\nx,good\n", "accuracy 'good', expected percent"),
        ("a.csv", "artifact,accuracy\nx\n", "accuracy None"),
        ("a.json", "[]", "expected an object"),
        ("a.json", '{"x": 171}', "accuracy 171"),
        ("a.json", "{", "not JSON"),
    ],
)
def test_accuracy_files_that_are_none(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        read_accuracies(path)

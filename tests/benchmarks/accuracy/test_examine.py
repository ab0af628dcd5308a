"""From files to figures: every image is scored, or named with its reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accuracy_data import coloured, folder_of_colours, imagenet_of_colours, save_graph, save_image, stripes

from evit_deploy.benchmarks.accuracy.examine import examine_all
from evit_deploy.benchmarks.accuracy.imagenet import read_class_list
from evit_deploy.benchmarks.accuracy.layouts import read_dataset
from evit_deploy.benchmarks.accuracy.records import Record
from evit_deploy.benchmarks.accuracy.results import summarised
from evit_deploy.benchmarks.accuracy.subject import Array, Pixels, Subject, opened_artifact
from evit_deploy.benchmarks.accuracy.worst import worst_records
from evit_deploy.errors import Exit, UserError


def evaluated(data: Path, graphs: list[Path], against: Path | None = None) -> dict[str, Any]:
    """The figures of graphs on a dataset."""
    dataset = read_dataset(data)
    records: list[Record] = []
    with ExitStack() as stack:
        subjects = [stack.enter_context(opened_artifact(graph)) for graph in graphs]
        reference = None if against is None else stack.enter_context(opened_artifact(against))
        examine_all(dataset, dataset.items, subjects, reference, records.append, lambda _: None)
        return summarised(dataset, records, subjects, reference, seed=0)


def in_chunks(subject: Subject, chunk: int, sizes: list[int]) -> Subject:
    """The same model, which says that it takes several images at once, and notes how many it was given."""

    def answers(images: Sequence[Pixels]) -> list[Array]:
        sizes.append(len(images))
        return subject.answers(images)

    return dataclasses.replace(subject, answers=answers, chunk=chunk)


def segmenter(folder: Path, name: str = "s.onnx", **options: Any) -> Path:
    return save_graph(folder / name, task="segmentation", size=(32, 64), **options)


def problems(figures: dict[str, Any]) -> dict[str, str]:
    return {problem["file"]: problem["reason"] for problem in figures["dataset"]["problems"]}


def test_labels_that_are_the_models_own_answers_give_everything(tmp_path: Path) -> None:
    figures = evaluated(imagenet_of_colours(tmp_path / "data"), [save_graph(tmp_path / "c.onnx")])
    metrics = figures["models"][0]["metrics"]
    assert (metrics["images"], metrics["top1_percent"], metrics["top5_percent"]) == (9, 100, 100)
    figures = evaluated(folder_of_colours(tmp_path / "maps"), [segmenter(tmp_path)])
    metrics = figures["models"][0]["metrics"]
    assert (metrics["miou_percent"], metrics["pixel_accuracy_percent"]) == (100, 100)


def test_more_classes_than_a_mask_has_values(tmp_path: Path) -> None:
    """As ImageNet has, which has no masks."""
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["0r", "1g", "2b", *(f"unseen{i}" for i in range(997))]))
    dataset = read_dataset(imagenet_of_colours(tmp_path / "data"), classes=read_class_list(names))
    records: list[Record] = []
    with opened_artifact(save_graph(tmp_path / "c.onnx", num_classes=1000)) as subject:
        examine_all(dataset, dataset.items, [subject], None, records.append, lambda _: None)
        figures = summarised(dataset, records, [subject], None, seed=0)
    assert figures["models"][0]["metrics"]["top1_percent"] == 100


def test_a_biased_model_is_wrong_where_it_must_be(tmp_path: Path) -> None:
    """Everything is red to it: a third of the images is right."""
    data = imagenet_of_colours(tmp_path / "data")
    good, red = save_graph(tmp_path / "good.onnx"), save_graph(tmp_path / "red.onnx", bias=(9, 0, 0))
    figures = evaluated(data, [red], against=good)
    assert figures["models"][0]["metrics"]["top1_percent"] == pytest.approx(100 / 3)
    assert figures["models"][1]["role"] == "reference"
    compared = figures["comparisons"][0]
    assert compared["agreement_percent"] == pytest.approx(100 / 3)
    assert compared["difference"] == pytest.approx(-200 / 3)
    assert (compared["only_this_right"], compared["only_reference_right"]) == (0, 6)
    assert compared["p"] == 2 * 0.5**6


def test_agreement_of_class_maps(tmp_path: Path) -> None:
    data = folder_of_colours(tmp_path / "data", 6)
    figures = evaluated(data, [segmenter(tmp_path, "red.onnx", bias=(9, 0, 0))], segmenter(tmp_path))
    red = np.mean([np.mean(stripes(i) == 0) for i in range(6)])
    assert figures["comparisons"][0]["agreement_percent"] == pytest.approx(100 * red)
    assert figures["models"][0]["metrics"]["pixel_accuracy_percent"] == pytest.approx(100 * red)
    low, high = figures["comparisons"][0]["interval"]
    assert low <= figures["comparisons"][0]["difference"] <= high < 0


def test_labels_may_be_larger_than_the_input(tmp_path: Path) -> None:
    """Logits are enlarged to the label, and the image made smaller to the input."""
    classes = stripes(3, 128, 256, 64)
    save_image(tmp_path / "data/images/a.png", coloured(classes))
    save_image(tmp_path / "data/masks/a.png", classes.astype(np.uint8))
    for name, options in (("s.onnx", {}), ("a.onnx", {"head": "argmax"})):
        metrics = evaluated(tmp_path / "data", [segmenter(tmp_path, name, **options)])["models"][0]["metrics"]
        assert metrics["pixels"] == 128 * 256
        assert 97 < metrics["pixel_accuracy_percent"] <= 100


def test_cityscapes_ids_and_ade20k_ids_are_scored_as_their_classes(tmp_path: Path) -> None:
    classes = stripes(5)
    for layout, count, values in (
        ("cityscapes", 19, np.array([7, 8, 11])),
        ("ade20k", 150, np.array([1, 2, 3])),
    ):
        root = tmp_path / layout
        if layout == "cityscapes":
            image = root / "leftImg8bit/val/ulm/1_leftImg8bit.png"
            mask = root / "gtFine/val/ulm/1_gtFine_labelIds.png"
        else:
            image, mask = root / "images/validation/1.png", root / "annotations/validation/1.png"
        ids = values[classes].astype(np.uint8)
        ids[:4] = 0  # ignored in both
        save_image(image, coloured(classes))
        save_image(mask, ids)
        graph = segmenter(tmp_path, f"{layout}.onnx", num_classes=count)
        metrics = evaluated(root, [graph])["models"][0]["metrics"]
        assert (metrics["miou_percent"], metrics["pixels"]) == (100, 28 * 64)


def test_bad_files_are_counted_with_their_reason(tmp_path: Path) -> None:
    data = folder_of_colours(tmp_path / "data", 8)
    (data / "images/0.png").write_bytes(b"")
    (data / "images/1.png").write_bytes((data / "images/1.png").read_bytes()[:60])
    (data / "masks/2.png").write_bytes(b"nothing of the kind")
    save_image(data / "masks/3.png", np.zeros((8, 8), np.uint8))
    save_image(data / "masks/4.png", np.full((32, 64), 7, np.uint8))
    (data / "masks/5.png").unlink()
    (data / "images/6.png").unlink()
    figures = evaluated(data, [segmenter(tmp_path)])
    found = problems(figures)
    assert found.pop("images/1.png").startswith("cannot be read as an image (")
    assert found == {
        "images/5.png": "has no mask",
        "masks/6.png": "has no image",
        "images/0.png": "is empty",
        "masks/2.png": "is no image of a known kind",
        "masks/3.png": "is 8x8, its image is 32x64 (height x width)",
        "masks/4.png": "has ids that are no class's: 7",
    }
    assert (figures["dataset"]["images_found"], figures["dataset"]["images_used"]) == (6, 1)
    assert figures["models"][0]["metrics"]["images"] == 1


def test_a_link_to_nowhere(tmp_path: Path) -> None:
    data = imagenet_of_colours(tmp_path / "data")
    (data / "0r/gone.png").symlink_to(tmp_path / "nowhere.png")
    figures = evaluated(data, [save_graph(tmp_path / "c.onnx")])
    assert problems(figures) == {"0r/gone.png": "cannot be read (No such file or directory)"}


def test_converted_images_are_counted_by_their_mode(tmp_path: Path) -> None:
    data = imagenet_of_colours(tmp_path / "data")
    red = coloured(np.zeros((8, 8), int))
    save_image(data / "0r/p.png", red, "P")
    save_image(data / "0r/c.jpg", red, "CMYK")
    save_image(data / "0r/l.png", red, "L")
    save_image(data / "0r/s.png", np.zeros((8, 8), np.uint16))
    figures = evaluated(data, [save_graph(tmp_path / "c.onnx")])
    converted = figures["dataset"]["images_converted"]
    assert sum(converted.values()) == 4
    assert {"P", "CMYK", "L"} < converted.keys()


def test_nothing_usable_is_refused(tmp_path: Path) -> None:
    data = imagenet_of_colours(tmp_path / "data", 1)
    for path in data.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError) as caught:
        evaluated(data, [save_graph(tmp_path / "c.onnx")])
    assert str(caught.value) == (
        f"'{data}': none of 3 images is usable, the first: 0r/0.png: is empty; mend the dataset"
    )
    assert caught.value.code == Exit.DATASET


def test_nan_counts_as_wrong(tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "nan.onnx", broken=True)
    metrics = evaluated(imagenet_of_colours(tmp_path / "data"), [graph])["models"][0]["metrics"]
    assert (metrics["top1_percent"], metrics["images_not_finite"]) == (0, 9)
    figures = evaluated(folder_of_colours(tmp_path / "maps"), [segmenter(tmp_path, broken=True)])
    metrics = figures["models"][0]["metrics"]
    assert (metrics["miou_percent"], metrics["images_not_finite"]) == (0, 4)


def test_the_fingerprint_is_of_content_and_labels(tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "c.onnx")
    data = imagenet_of_colours(tmp_path / "data")
    before = evaluated(data, [graph])["dataset"]["fingerprint"]
    assert before == evaluated(data, [graph])["dataset"]["fingerprint"]
    save_image(data / "0r/0.png", coloured(np.full((12, 16), 1)))
    assert before != evaluated(data, [graph])["dataset"]["fingerprint"]


def test_the_worst_are_the_surest_mistakes(tmp_path: Path) -> None:
    dataset = imagenet_of_colours(tmp_path / "data", 2)
    mixed = coloured(np.full((8, 8), 1)) + coloured(np.full((8, 8), 0)) // 2
    save_image(dataset / "0r/mixed.png", mixed)  # more green than red
    save_image(dataset / "0r/green.png", coloured(np.full((8, 8), 1)))
    figures = evaluated(dataset, [save_graph(tmp_path / "c.onnx")])
    worst = worst_records(figures["records"], 0, 3, 9)
    assert [record.image for record in worst] == ["0r/green.png", "0r/mixed.png"]
    assert len(worst_records(figures["records"], 0, 3, 1)) == 1


def test_the_worst_maps_have_the_smallest_miou(tmp_path: Path) -> None:
    data = folder_of_colours(tmp_path / "data", 3)
    save_image(data / "masks/1.png", np.full((32, 64), 255, np.uint8))
    save_image(data / "masks/2.png", ((stripes(2) + 1) % 3).astype(np.uint8))
    figures = evaluated(data, [segmenter(tmp_path)])
    worst = worst_records(figures["records"], 0, 3, 9)
    assert [record.image for record in worst] == ["images/2.png", "images/0.png"]


def test_records_are_whole_numbers_only(tmp_path: Path) -> None:
    figures = evaluated(folder_of_colours(tmp_path / "data"), [segmenter(tmp_path)])
    for record in figures["records"]:
        for outcome in record.outcomes:
            assert all(isinstance(n, int) for triple in dataclasses.asdict(outcome)["counts"] for n in triple)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_chunks_give_the_same_records_in_the_same_order(tmp_path: Path, task: str) -> None:
    """With bad files among them, which no model is given; the smallest chunk holds for all."""
    if task == "classification":
        data, graph = imagenet_of_colours(tmp_path / "data", 3), save_graph(tmp_path / "c.onnx")
        bad = ["0r/1.png", "2b/0.png"]
    else:
        data, graph = folder_of_colours(tmp_path / "data", 9), segmenter(tmp_path)
        bad = ["images/1.png", "masks/6.png"]
    for name in bad:
        (data / name).write_bytes(b"damaged")
    dataset = read_dataset(data)
    one_by_one, records, begun = [], [], []
    given: tuple[list[int], ...] = ([], [], [])
    with opened_artifact(graph) as subject:
        examine_all(dataset, dataset.items, [subject], subject, one_by_one.append, lambda _: None)
        examine_all(
            dataset,
            dataset.items,
            [in_chunks(subject, 7, given[0]), in_chunks(subject, 4, given[1])],
            in_chunks(subject, 5, given[2]),
            records.append,
            begun.append,
        )
    assert given == ([3, 3, 1],) * 3
    assert begun == [item.name for item in dataset.items]
    assert [record.file for record in records if record.problem is not None] == bad
    for record, single in zip(records, one_by_one, strict=True):
        first, second, reference = record.outcomes or (None,) * 3
        assert first == second
        assert dataclasses.replace(record, outcomes=()) == dataclasses.replace(single, outcomes=())
        assert (first, reference) == (single.outcomes or (None, None))


def test_a_chunk_of_bad_files_is_no_launch(tmp_path: Path) -> None:
    data = imagenet_of_colours(tmp_path / "data", 1)
    for path in sorted(data.rglob("*.png"))[:2]:
        path.write_bytes(b"")
    dataset, sizes, records = read_dataset(data), [], []
    with opened_artifact(save_graph(tmp_path / "c.onnx")) as subject:
        subjects = [in_chunks(subject, 2, sizes)]
        examine_all(dataset, dataset.items, subjects, None, records.append, lambda _: None)
    assert sizes == [1]
    assert [record.problem for record in records] == ["is empty", "is empty", None]

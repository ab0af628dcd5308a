"""Each published layout on disk: found, read in order, what does not fit named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from accuracy_data import folder_of_colours, imagenet_of_colours, save_image

from evit_deploy.benchmarks.accuracy.dataset import listing_fingerprint, sample
from evit_deploy.benchmarks.accuracy.imagenet import read_class_list
from evit_deploy.benchmarks.accuracy.layouts import detect_layout, read_dataset
from evit_deploy.errors import Exit, UserError

GREY = np.zeros((4, 4), np.uint8)
RGB = np.zeros((4, 4, 3), np.uint8)


def problems(root: Path, **options: object) -> dict[str, str]:
    return {problem.file: problem.reason for problem in read_dataset(root, **options).problems}


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    for city, frame in [("ulm", "1"), ("aachen", "2"), ("aachen", "1")]:
        stem = f"{city}/{city}_{frame}"
        save_image(tmp_path / "leftImg8bit/val" / f"{stem}_leftImg8bit.png", RGB)
        for kind in ("labelIds", "color", "instanceIds", "labelTrainIds"):
            save_image(tmp_path / "gtFine/val" / f"{stem}_gtFine_{kind}.png", GREY)
        (tmp_path / "gtFine/val" / f"{stem}_gtFine_polygons.json").write_text("{}")
    return tmp_path


@pytest.fixture
def ade20k(tmp_path: Path) -> Path:
    for i in (2, 1):
        save_image(tmp_path / "images/validation" / f"ADE_val_{i}.jpg", RGB)
        save_image(tmp_path / "annotations/validation" / f"ADE_val_{i}.png", GREY)
        save_image(tmp_path / "images/training" / f"ADE_train_{i}.jpg", RGB)
    return tmp_path


def test_cityscapes(cityscapes: Path) -> None:
    assert detect_layout(cityscapes) == "cityscapes"
    dataset = read_dataset(cityscapes)
    assert [item.name.rpartition("/")[2] for item in dataset.items] == [
        "aachen_1_leftImg8bit.png",
        "aachen_2_leftImg8bit.png",
        "ulm_1_leftImg8bit.png",
    ]
    assert dataset.items[0].mask == cityscapes / "gtFine/val/aachen/aachen_1_gtFine_labelIds.png"
    assert (dataset.num_classes, dataset.problems) == (19, ())
    assert dataset.classes is not None and dataset.classes[0] == "road"


def test_cityscapes_of_another_split(cityscapes: Path) -> None:
    (cityscapes / "leftImg8bit/val").rename(cityscapes / "leftImg8bit/train")
    (cityscapes / "gtFine/val").rename(cityscapes / "gtFine/train")
    assert len(read_dataset(cityscapes, split="train").items) == 3
    with pytest.raises(UserError, match="no image with a label in it as layout cityscapes"):
        read_dataset(cityscapes)


def test_ade20k(ade20k: Path) -> None:
    dataset = read_dataset(ade20k)
    assert (dataset.layout, dataset.num_classes, len(dataset.items)) == ("ade20k", 150, 2)
    assert dataset.items[0].name == "images/validation/ADE_val_1.jpg"
    assert dataset.items[0].mask == ade20k / "annotations/validation/ADE_val_1.png"


def test_folder(tmp_path: Path) -> None:
    dataset = read_dataset(folder_of_colours(tmp_path))
    assert (dataset.layout, dataset.num_classes, len(dataset.items)) == ("folder", None, 4)


def test_imagenet_takes_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    imagenet_of_colours(tmp_path, 2, names=("n10", "n02", "a"))
    dataset = read_dataset(tmp_path)
    assert (dataset.layout, dataset.classes) == ("imagenet", ("a", "n02", "n10"))
    assert [(item.name, item.label) for item in dataset.items][1:4] == [
        ("a/1.png", 0),
        ("n02/0.png", 1),
        ("n02/1.png", 1),
    ]


def test_imagenet_with_a_val_folder(tmp_path: Path) -> None:
    imagenet_of_colours(tmp_path / "val")
    imagenet_of_colours(tmp_path / "train", names=("x",))
    dataset = read_dataset(tmp_path)
    assert dataset.num_classes == 3
    assert dataset.items[0].name == "val/0r/0.png"
    assert read_dataset(tmp_path, split="train").classes == ("x",)


def test_a_list_of_classes_decides_order_and_count(tmp_path: Path) -> None:
    imagenet_of_colours(tmp_path / "data")
    names = tmp_path / "classes.txt"
    names.write_text("# mine\n2b\tblue\n0r, red\n\nunseen\n1g\n")
    classes = read_class_list(names)
    assert classes == ("2b", "0r", "unseen", "1g")
    dataset = read_dataset(tmp_path / "data", classes=classes)
    assert (dataset.num_classes, dataset.items[0].label) == (4, 1)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("a\nb\na\n", "names 'a' twice"), ("# nothing\n", "names no class")],
)
def test_lists_that_are_none(tmp_path: Path, text: str, wrong: str) -> None:
    names = tmp_path / "classes.txt"
    names.write_text(text)
    with pytest.raises(UserError) as caught:
        read_class_list(names)
    assert str(caught.value) == f"--classes {names}: {wrong}; expected one class per line"


def test_a_folder_that_is_not_in_the_list(tmp_path: Path) -> None:
    imagenet_of_colours(tmp_path)
    with pytest.raises(UserError) as caught:
        read_dataset(tmp_path, classes=("0r", "1g"))
    assert str(caught.value) == (
        f"'{tmp_path}': 1 of its folders are not in the list of 2 classes, the first is '2b'; list every "
        "folder's name in --classes"
    )


def test_files_of_imagenet_that_are_no_images_are_named(tmp_path: Path) -> None:
    imagenet_of_colours(tmp_path)
    (tmp_path / "0r" / "notes.txt").write_text("")
    (tmp_path / "0r" / ".DS_Store").write_text("")
    save_image(tmp_path / "0r/.ipynb_checkpoints/0.png", RGB)
    (tmp_path / "3empty").mkdir()
    save_image(tmp_path / "loose.png", RGB)
    found = problems(tmp_path)
    assert found.keys() == {"0r/notes.txt", "3empty", "loose.png"}
    assert found["0r/notes.txt"].startswith("ends in '.txt', expected an image (.jpg .jpeg .png")
    assert found["3empty"] == "a class's folder without an image"
    assert found["loose.png"] == "lies in no class's folder"


def test_pairs_without_a_partner_are_named(cityscapes: Path) -> None:
    (cityscapes / "gtFine/val/ulm/ulm_1_gtFine_labelIds.png").unlink()
    (cityscapes / "leftImg8bit/val/aachen/aachen_2_leftImg8bit.png").unlink()
    save_image(cityscapes / "leftImg8bit/val/aachen/odd.png", RGB)
    assert problems(cityscapes) == {
        "leftImg8bit/val/aachen/odd.png": "does not end in _leftImg8bit.png",
        "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png": "has no mask",
        "gtFine/val/aachen/aachen_2_gtFine_labelIds.png": "has no image",
    }


def test_two_images_of_one_name(tmp_path: Path) -> None:
    folder_of_colours(tmp_path)
    save_image(tmp_path / "images/0.jpg", RGB)
    dataset = read_dataset(tmp_path)
    assert [(p.file, p.reason) for p in dataset.problems] == [("images/0.png", "has the same name as 0.jpg")]


def test_linked_folders_are_followed_and_links_to_nowhere_take_part(tmp_path: Path) -> None:
    imagenet_of_colours(tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    for name in ("0r", "1g"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere" / name)
    (tmp_path / "elsewhere/0r/gone.png").symlink_to(tmp_path / "nowhere.png")
    assert "0r/gone.png" in [item.name for item in read_dataset(tmp_path / "data").items]


def test_what_fits_two_layouts_is_refused(tmp_path: Path) -> None:
    folder_of_colours(tmp_path)
    imagenet_of_colours(tmp_path)
    with pytest.raises(UserError) as caught:
        read_dataset(tmp_path)
    assert (
        str(caught.value) == f"--data {tmp_path}: could be any of imagenet, folder; say which with --layout"
    )
    assert caught.value.code == Exit.DATASET
    assert len(read_dataset(tmp_path, "folder").items) == 4


def test_what_fits_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no known layout; expected a folder per class"):
        read_dataset(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        read_dataset(tmp_path / "missing")


def test_nothing_usable_names_the_first_problem(tmp_path: Path) -> None:
    save_image(tmp_path / "images/1.png", RGB)
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError) as caught:
        read_dataset(tmp_path)
    assert str(caught.value) == (
        f"'{tmp_path}': no image with a label in it as layout folder; of 1 problems the first: images/1.png: "
        "has no mask; name another folder with --data, or another --layout"
    )


def test_a_folder_has_no_splits(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--split: the layout folder has no splits"):
        read_dataset(folder_of_colours(tmp_path), split="train")


def test_samples_are_nested_seeded_and_in_order(tmp_path: Path) -> None:
    items = read_dataset(imagenet_of_colours(tmp_path, 10)).items
    few, more = sample(items, 8, 0), sample(items, 20, 0)
    assert (len(few), len(more)) == (8, 20)
    assert set(few) < set(more) < set(items)
    assert list(few) == sorted(few, key=lambda item: item.name)
    assert len({item.label for item in few}) > 1
    assert sample(items, 8, 0) == few != sample(items, 8, 1)
    assert sample(items, 31, 0) == sample(items, None, 0) == items


def test_the_listing_tells_names_labels_and_sizes(tmp_path: Path) -> None:
    def fingerprint() -> str:
        dataset = read_dataset(tmp_path)
        return listing_fingerprint(dataset.items, dataset.problems)

    imagenet_of_colours(tmp_path)
    before = fingerprint()
    assert before == fingerprint()
    path = tmp_path / "0r/0.png"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    assert fingerprint() != before
    path.write_bytes(content)
    assert fingerprint() == before
    (tmp_path / "0r/x.txt").write_text("")
    assert fingerprint() != before

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evit_deploy.benchmarks.accuracy.images import UnusableFile
from evit_deploy.benchmarks.accuracy.labels import IGNORED, coding_of, decode_labels
from evit_deploy.benchmarks.cityscapes import CLASSES

# Name -> label id, from the dataset's own label definitions.
CITYSCAPES = {
    **{"road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19},
    **{"traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26},
    **{"truck": 27, "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33},
}


def mask_of(values: object, dtype: type = np.uint8, mode: str | None = None) -> bytes:
    image = Image.fromarray(np.array(values, dtype))
    buffer = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_cityscapes_ids_are_those_of_the_classes_by_name() -> None:
    coding = coding_of("cityscapes", 19)
    for train_id, (name, _) in enumerate(CLASSES):
        assert coding[CITYSCAPES[name]] == train_id
    others = set(range(34)) - set(CITYSCAPES.values())
    assert {int(coding[i]) for i in others} == {IGNORED}


def test_ade20k_counts_from_one() -> None:
    labels = decode_labels(mask_of([[0, 1, 150, 255]]), coding_of("ade20k", 150), (1, 4))
    assert labels.tolist() == [[255, 0, 149, 255]]


def test_folder_takes_values_as_they_are() -> None:
    labels = decode_labels(mask_of([[0, 1], [2, 255]]), coding_of("folder", 3), (2, 2))
    assert labels.tolist() == [[0, 1], [2, 255]]


@pytest.mark.parametrize(
    ("layout", "num_classes", "wrong"),
    [("cityscapes", 19, 34), ("ade20k", 150, 151), ("folder", 3, 3)],
)
def test_ids_beyond_the_layouts_are_refused(layout: str, num_classes: int, wrong: int) -> None:
    with pytest.raises(UnusableFile) as caught:
        decode_labels(mask_of([[0, wrong]]), coding_of(layout, num_classes), (1, 2))
    assert str(caught.value) == f"has ids that are no class's: {wrong}"


def test_many_wrong_ids_are_cut_short() -> None:
    with pytest.raises(UnusableFile) as caught:
        decode_labels(mask_of([[3, 4, 5, 6, 7, 8]]), coding_of("folder", 3), (1, 6))
    assert str(caught.value) == "has ids that are no class's: 3, 4, 5, 6, 7 ..."


def test_sixteen_bit_masks() -> None:
    assert decode_labels(mask_of([[2, 255]], np.uint16), coding_of("folder", 3), (1, 2)).tolist() == [
        [2, 255]
    ]
    with pytest.raises(UnusableFile, match="no class's: 300"):
        decode_labels(mask_of([[2, 300]], np.uint16), coding_of("folder", 3), (1, 2))


def test_a_palettes_indices_are_the_classes() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    image.putpixel((1, 0), 2)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    assert decode_labels(buffer.getvalue(), coding_of("folder", 3), (1, 2)).tolist() == [[0, 2]]


def test_colours_are_refused() -> None:
    with pytest.raises(
        UnusableFile, match=r"^has pixels of Pillow's mode RGB, expected one class id a pixel"
    ):
        decode_labels(mask_of(np.zeros((2, 2, 3))), coding_of("folder", 3), (2, 2))


def test_another_size_than_the_images() -> None:
    with pytest.raises(UnusableFile) as caught:
        decode_labels(mask_of([[0, 1, 2]]), coding_of("folder", 3), (2, 2))
    assert str(caught.value) == "is 1x3, its image is 2x2 (height x width)"

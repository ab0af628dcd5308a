from __future__ import annotations

import pytest
import torch

from evit_deploy.errors import Exit, UserError
from evit_deploy.models import create_model
from evit_deploy.models.state_dicts import empty_state_dict
from evit_deploy.models.zoo import (
    MODELS,
    ModelSpec,
    build_model,
    check_resolution,
    find_model,
    num_classes_of,
)

every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.short_name)


@every_model
def test_parameter_count_is_the_published_one(spec: ModelSpec) -> None:
    with torch.device("meta"):
        model = build_model(spec)
    assert sum(parameter.numel() for parameter in model.parameters()) == spec.parameters


@every_model
def test_class_count_is_seen_in_the_last_layer(spec: ModelSpec) -> None:
    if spec.num_classes is None:
        assert num_classes_of(empty_state_dict(spec), spec) is None
        return
    assert num_classes_of(empty_state_dict(spec, 7), spec) == 7


def is_published(spec: ModelSpec) -> bool:
    """Models from a description alone have neither weights nor an accuracy."""
    return bool(spec.hub_files or spec.weights_page) or spec.accuracy is not None


@every_model
def test_has_a_published_file_at_its_own_resolution(spec: ModelSpec) -> None:
    assert spec.resolution in spec.hub_files or spec.weights_page or not is_published(spec)
    check_resolution(spec, *spec.resolution)


def test_names_are_distinct() -> None:
    assert len({spec.short_name for spec in MODELS}) == len(MODELS) == 36


@pytest.mark.parametrize("name", ["efficientvit-b1", "b1", "B1", "EfficientViT_B1"])
def test_found_by_published_and_short_name(name: str) -> None:
    assert find_model(name).name == "efficientvit-b1"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("b11", "efficientvit-b1"), ("seg-b0-cityscape", "efficientvit-seg-b0-cityscapes")],
)
def test_unknown_name_suggests_the_nearest_and_lists_all(name: str, nearest: str) -> None:
    with pytest.raises(UserError) as caught:
        find_model(name)
    assert caught.value.code == Exit.UNKNOWN_MODEL
    assert f"did you mean '{nearest}'?" in str(caught.value)
    assert all(spec.short_name in str(caught.value) for spec in MODELS)
    assert "\n" not in str(caught.value)


def test_unknown_name_without_a_near_one_suggests_nothing() -> None:
    with pytest.raises(UserError, match="unknown model 'yolo': known: b0, b1"):
        find_model("yolo")


@pytest.mark.parametrize("size", [(-1, -1), (0, 224), (31, 31)])
def test_classification_refuses_sizes_without_a_feature(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="must be at least 32") as caught:
        check_resolution(find_model("b0"), *size)
    assert caught.value.code == Exit.RESOLUTION


@pytest.mark.parametrize(("size", "next_size"), [((100, 100), "128x128"), ((512, 1000), "512x1024")])
def test_segmentation_refuses_sizes_whose_maps_do_not_meet(size: tuple[int, int], next_size: str) -> None:
    with pytest.raises(UserError, match=f"multiples of 32; the next that does is {next_size}") as caught:
        check_resolution(find_model("seg-b0-cityscapes"), *size)
    assert caught.value.code == Exit.RESOLUTION


@pytest.mark.parametrize("size", [(33, 57), (32, 32), (101, 64)])
def test_classification_takes_odd_sizes(size: tuple[int, int]) -> None:
    check_resolution(find_model("b0"), *size)
    output = create_model("b0")(torch.randn(2, 3, *size))
    assert output.shape == (2, 1000)
    assert bool(output.isfinite().all())


def test_segmentation_answers_at_an_eighth() -> None:
    output = create_model("seg-b0-cityscapes")(torch.randn(1, 3, 64, 96))
    assert output.shape == (1, 19, 8, 12)


def test_a_model_without_classes_takes_no_count() -> None:
    with pytest.raises(UserError, match="num_classes 5: efficientvit-sam-l0 has no classes") as caught:
        build_model(find_model("sam-l0"), num_classes=5)
    assert caught.value.code == Exit.USAGE


def test_class_count_must_be_positive() -> None:
    with pytest.raises(UserError, match="num_classes 0"):
        build_model(find_model("b0"), num_classes=0)

from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites import EXPORT_PIPELINE, PIPELINES, Rewrite, apply_rewrites
from evit_deploy.models import create_model

SIZE = (64, 96)
RESIZE = "bicubic-resize-known-size"
NAMES = ("batch-norm-fold", "linear-attention-matmul", RESIZE, "bicubic-upsample-matmul")
SHUFFLE = "pixel-shuffle-last-axis"
TFLITE_NAMES = (
    *(*NAMES[:3], "bicubic-upsample-banded", "average-pool-last-axis", "class-map-last-axis"),
    SHUFFLE,
)
CLASSIFICATION = NAMES[2:] + TFLITE_NAMES[2:4]  # not in these
SEGMENTATION = (RESIZE, "average-pool-last-axis")
EDGENEXT = ("edgenext-batch-norm-fold", "norm-affine-fold", "layer-scale-fold", "positions-constant")


def image() -> torch.Tensor:
    return torch.randn(1, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "missing"), [("b0", CLASSIFICATION), ("seg-b0-cityscapes", SEGMENTATION)])
@pytest.mark.parametrize(("format", "all_names"), [("onnx", NAMES), ("tflite", TFLITE_NAMES)])
def test_whole_models_in_float64(
    format: str, all_names: tuple[str, ...], name: str, missing: tuple[str, ...], relative_error
) -> None:
    model = create_model(name).double()
    rewritten, names = apply_rewrites(model, image(), PIPELINES[format])
    nowhere = {*missing, "class-map-last-axis", SHUFFLE}
    assert names == tuple(name for name in all_names if name not in nowhere)
    assert relative_error(model(image()), rewritten(image())) < 1e-10


def test_a_model_with_one_thing_wrong_fails(relative_error) -> None:
    model = create_model("b0").double()
    rewritten, _ = apply_rewrites(model, image())
    with torch.no_grad():
        rewritten.get_parameter("backbone.stages.2.op_list.1.local_module.main.depth_conv.conv.weight").mul_(
            1 + 1e-6
        )
    assert relative_error(model(image()), rewritten(image())) > 1e-9


def test_the_reference_is_left_as_it_was() -> None:
    model = create_model("seg-b0-cityscapes")
    kinds = [type(module) for module in model.modules()]
    values = {name: value.clone() for name, value in model.state_dict().items()}
    apply_rewrites(model, image().float())
    assert [type(module) for module in model.modules()] == kinds
    assert all(torch.equal(value, values[name]) for name, value in model.state_dict().items())


def test_paths_of_modules_stay() -> None:
    model = create_model("seg-b0-cityscapes")
    rewritten, _ = apply_rewrites(model, image().float())
    gone = {path for path, _ in model.named_modules()} - {path for path, _ in rewritten.named_modules()}
    assert all(path.endswith("norm") for path in gone)


def test_only_what_found_something_is_named_and_the_order_is_kept() -> None:
    calls: list[str] = []

    def step(name: str, changes: int) -> Rewrite:
        def apply(_model: nn.Module, shapes: object) -> int:
            calls.append(name)
            assert shapes == {"": (1, 2)}
            return changes

        return Rewrite(name, apply)

    _, fired = apply_rewrites(nn.ReLU(), torch.zeros(1, 2), [step("a", 2), step("b", 0), step("c", 1)])
    assert (calls, fired) == (["a", "b", "c"], ("a", "c"))


def test_the_pipeline_of_exports() -> None:
    first, *rest = NAMES
    expected = (first, *EDGENEXT, *rest, "channel-norm-products")
    assert tuple(step.name for step in EXPORT_PIPELINE) == expected
    assert tuple(step.name for step in PIPELINES["onnx"]) == expected
    first, *rest = TFLITE_NAMES
    in_tflite = (first, *EDGENEXT, *rest, "channel-norm-last-axis")
    assert tuple(step.name for step in PIPELINES["tflite"]) == in_tflite

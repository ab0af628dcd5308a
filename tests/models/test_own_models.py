"""Models that a user describes in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evit_deploy.errors import Exit, UserError
from evit_deploy.models import create_model
from evit_deploy.models.complexity import count_parameters
from evit_deploy.models.own_config import checked, read_own_config
from evit_deploy.models.own_models import MOST_PARAMETERS, model_named, own_model, recorded_model
from evit_deploy.models.spec import CLASSIFICATION, SEGMENTATION, ModelSpec
from evit_deploy.models.zoo import find_model

ROAD = """
base = "b"
widths = [8, 16, 16, 32, 32]
depths = [1, 1, 1, 1, 1]
dim = 16
classes = 5
resolution = [64, 96]

[segmentation]
width = 16
depth = 1
"""
LARGE = """
name = "tiny-l"
base = "l"
widths = [8, 8, 16, 20, 32]
depths = [0, 1, 1, 1, 1]
dim = 8
classes = 3
resolution = 64
crop = 0.9
norm_eps = 1e-6

[classification]
widths = [32, 48]
"""
# The published models again, in words: they must come out as they are in the table.
B1 = """
base = "b"
widths = [16, 32, 64, 128, 256]
depths = [1, 2, 3, 3, 4]
dim = 16
classes = 1000
resolution = 224
crop = 0.95

[classification]
widths = [1536, 1600]
"""
L2_ADE20K = """
base = "l"
widths = [32, 64, 128, 256, 512]
depths = [1, 2, 2, 8, 8]
dim = 32
classes = 150
resolution = 512

[segmentation]
width = 128
depth = 3
final_expand = 8
"""


def described(folder: Path, text: str, name: str = "road.toml") -> ModelSpec:
    (folder / name).write_text(text)
    return model_named(str(folder / name))


def test_a_segmentation_model(tmp_path: Path) -> None:
    spec = described(tmp_path, ROAD)
    assert (spec.name, spec.task, spec.dataset) == ("efficientvit-own-road", SEGMENTATION, "own")
    assert (spec.num_classes, spec.resolution, spec.crop, spec.accuracy) == (5, (64, 96), 1.0, None)
    output = create_model(spec)(torch.zeros(1, 3, 64, 96))
    assert output.shape == (1, 5, 8, 12)
    assert (
        spec.parameters == count_parameters(spec) == sum(p.numel() for p in create_model(spec).parameters())
    )
    assert 0 < spec.macs < 1e8


def test_a_large_classification_model(tmp_path: Path) -> None:
    spec = described(tmp_path, LARGE)
    assert (spec.name, spec.task, spec.resolution, spec.crop) == (
        "efficientvit-own-tiny-l",
        CLASSIFICATION,
        (64, 64),
        0.9,
    )
    model = create_model(str(tmp_path / "road.toml"))
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 3)
    assert {m.eps for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-6}


@pytest.mark.parametrize(("text", "name"), [(B1, "b1"), (L2_ADE20K, "seg-l2-ade20k")])
def test_a_published_model_described_is_that_model(tmp_path: Path, text: str, name: str) -> None:
    spec, published = described(tmp_path, text), find_model(name)
    assert spec.architecture == published.architecture
    assert (spec.parameters, spec.crop) == (published.parameters, published.crop)
    assert spec.macs == pytest.approx(published.macs, rel=0.01)


@pytest.mark.parametrize("text", [ROAD, LARGE])
def test_what_a_manifest_holds_is_the_same_model(tmp_path: Path, text: str) -> None:
    spec = described(tmp_path, text)
    assert spec.config is not None
    assert recorded_model(spec.name, spec.config, Path("a.onnx.json")) == spec
    assert checked(spec.config, Path("a.onnx.json")) == spec.config


def test_final_expand_0_is_none(tmp_path: Path) -> None:
    wide, without = described(tmp_path, ROAD), described(tmp_path, ROAD + "final_expand = 0\n")
    assert without.parameters < wide.parameters
    assert create_model(without)(torch.zeros(1, 3, 32, 32)).shape == (1, 5, 4, 4)


def test_published_names_stay_names() -> None:
    assert (
        model_named("b1") == find_model("efficientvit-b1") == recorded_model("efficientvit-b1", {}, Path("x"))
    )


REFUSED = {
    "an unknown key": ("dim = 16", "dims = 16", "road.toml:5: 'dims': unknown key; did you mean 'dim'?"),
    "an unknown key of the head": (
        "depth = 1\n",
        "deph = 1\n",
        "road.toml:11: 'deph' in [segmentation]: unknown key; did you mean 'depth'?",
    ),
    "an unknown table": ("[segmentation]", "[segmentaton]", "did you mean 'segmentation'?"),
    "widths that heads do not divide": (
        "32, 32]",
        "40, 32]",
        "road.toml:3: 'widths': 40 channels (the 4th) cannot be divided into attention heads of dim = 16; "
        "32 and 48 can",
    ),
    "widths below a head": ("32, 32]", "32, 8]", "8 channels (the 5th) cannot be divided"),
    "too few widths": (
        "[8, 16, 16, 32, 32]",
        "[8, 16, 16, 32]",
        "got [8, 16, 16, 32], expected 5 whole numbers",
    ),
    "a width of nothing": ("[8, 16, 16", "[0, 16, 16", "expected 5 whole numbers, each at least 1"),
    "a depth of nothing": ("[1, 1, 1, 1, 1]", "[1, 0, 1, 1, 1]", "the others at least 1"),
    "dim 0": ("dim = 16", "dim = 0", "got 0, expected a whole number, at least 1"),
    "a base of another family": ('"b"', '"m"', """got 'm', expected "b" or "l\""""),
    "no base": ('base = "b"', "", "'base' is missing"),
    "classes in words": ("classes = 5", 'classes = "5"', "got '5', expected a whole number"),
    "classes yes": ("classes = 5", "classes = true", "got True, expected a whole number"),
    "resolution of three": ("[64, 96]", "[64, 96, 3]", "expected a whole number, or [height, width]"),
    "norm_eps 0": ("dim = 16", "dim = 16\nnorm_eps = 0.0", "expected a number above 0"),
    "crop 2": ("dim = 16", "dim = 16\ncrop = 2", "expected a number above 0, at most 1"),
    "an unknown block": (
        "depth = 1\n",
        'depth = 1\nblock = "res"\n',
        """got 'res', expected "mb" or "fmb\"""",
    ),
    "no head": ("[segmentation]\nwidth = 16\ndepth = 1\n", "", "got neither of [classification] and [segm"),
    "two heads": ("[segm", "[classification]\nwidths = [8, 8]\n[segm", "got both of [classification]"),
    "a head that is no table": (
        "[segmentation]\nwidth = 16\ndepth = 1\n",
        "segmentation = 3",
        "got 3, expected a table [segmentation]",
    ),
    "no width": ("width = 16\n", "", "road.toml:9: [segmentation]: 'width' is missing"),
    "a name with a slash": ("dim", 'name = "a/b"\ndim', "expected small letters, digits and single hyphens"),
    "no TOML": ("dim = 16", "dim 16", "not TOML"),
}


@pytest.mark.parametrize(("old", "new", "text"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    assert old in ROAD
    with pytest.raises(UserError) as caught:
        described(tmp_path, ROAD.replace(old, new))
    assert caught.value.code == Exit.CONFIG
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_a_resolution_that_the_head_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the next that does is 64x128") as caught:
        described(tmp_path, ROAD.replace("[64, 96]", "[64, 100]"))
    assert caught.value.code == Exit.RESOLUTION


def test_a_file_name_that_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 'my road', expected small letters"):
        described(tmp_path, ROAD, "My Road.toml")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml: No such file") as caught:
        model_named(str(tmp_path / "none.toml"))
    assert caught.value.code == Exit.CONFIG


def test_one_nought_too_many(tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_text(B1.replace("256]", "256000]"))
    config = read_own_config(tmp_path / "huge.toml")
    with pytest.raises(UserError, match=f"expected at most {MOST_PARAMETERS / 1e9:g}"):
        own_model(config, tmp_path / "huge.toml")

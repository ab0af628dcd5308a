from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.suite import DETERMINISTIC, SHIPPED, find_suite, read_suite
from evit_deploy.errors import Exit, UserError
from evit_deploy.models.zoo import find_model

WHOLE = """
description = "everything"
devices = ["qemu:cortex-a76,cortex-a53"]
metrics = ["size", "parity"]

[[models]]
model = "b0"
formats = ["tflite"]
resolutions = [64, "64x96"]
weights = "weights/b0.pt"
num-classes = 10
preprocess = true
dynamic-batch = false

[[models]]
model = "seg-b0-cityscapes"
head = "argmax"

[tolerances]
size = 0
parity-db = 1

[latency]
devices = ["local"]
margin = 0.05
"""


def full_name(model: str) -> str:
    return find_model(model).name


def suite_of(folder: Path, text: str) -> Path:
    file = folder / "s.toml"
    file.write_text(text)
    return file


def test_every_key_is_read(tmp_path: Path) -> None:
    suite = read_suite(suite_of(tmp_path, WHOLE), full_name)
    first, second = suite.models
    assert (first.model, second.model) == ("efficientvit-b0", "efficientvit-seg-b0-cityscapes")
    assert (first.formats, first.resolutions) == (("tflite",), ("64", "64x96"))
    assert (first.weights, first.options) == ("weights/b0.pt", {"num-classes": "10", "preprocess": ""})
    assert second.options == {"head": "argmax"}
    assert suite.metrics == ("size", "parity")
    assert (suite.tolerances.size, suite.tolerances.parity_db, suite.tolerances.instructions) == (0, 1, 0.001)
    assert suite.latency is not None
    assert (suite.latency.devices, suite.latency.margin) == (("local",), 0.05)


def test_what_a_short_suite_leaves_open(tmp_path: Path) -> None:
    suite = read_suite(suite_of(tmp_path, '[[models]]\nmodel = "b0"\n'))
    (model,) = suite.models
    assert (model.formats, model.precisions, model.resolutions) == (("onnx", "tflite"), ("fp32",), ("",))
    assert (model.weights, model.seed) == ("random", 0)
    assert (suite.name, suite.metrics, suite.latency) == ("s", DETERMINISTIC, None)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_suites_are_understood(path: Path) -> None:
    assert read_suite(path, full_name).description
    assert find_suite(path.stem) == path


MODEL = '[[models]]\nmodel = "b0"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1 2", "s.toml: not TOML: .*line 1"),
        ("", "s.toml:1: top level: nothing to measure"),
        ("models = []", "nothing to measure"),
        (f"\ndevises = []\n{MODEL}", r"s.toml:2: 'devises': unknown key; did you mean 'devices'\?"),
        (
            f"{MODEL}[[models]]\nmodel = 'b1'\nformat = 'onnx'\n",
            r"s.toml:5: 'format' in \[models\]: .*'formats'",
        ),
        (f"{MODEL}formats = ['onx']\n", r"s.toml:3: .*unknown format 'onx'; did you mean 'onnx'"),
        (f"{MODEL}formats = 'onnx'\n", r"s.toml:3: .*got 'onnx', expected a list of strings"),
        (f"{MODEL}formats = []\n", "s.toml:3: .*is empty"),
        (f"{MODEL}formats = ['onnx', 'onnx']\n", "there twice"),
        ("[[models]]\nmodel = 'b9'\n", r"s.toml:2: .*unknown model 'b9'"),
        ("[[models]]\nseed = 1\n", r"s.toml:1: \[models\]: no model; add model ="),
        ("[[models]]\nmodel = 3\n", "got 3, expected a string"),
        (f"{MODEL}resolutions = [true]\n", "got True, expected a size"),
        (f"{MODEL}weights = 'auto'\n", "s.toml:3: .*not the same everywhere"),
        (f"{MODEL}head = 'argmx'\n", "did you mean 'argmax'"),
        (f"metrics = ['sise']\n{MODEL}", r"s.toml:1: .*unknown metric 'sise'; did you mean 'size'"),
        (f"devices = ['qemu:cortex-a99']\n{MODEL}", "s.toml:1: .*unknown core 'cortex-a99'"),
        (f"devices = ['local']\n{MODEL}", "s.toml:1: .*local counts no instructions"),
        (f"{MODEL}[latency]\ndevices = ['qemu:cortex-a53']\n", "s.toml:4: .*is emulated: it has no latency"),
        (f"{MODEL}[latency]\nmargin = 0.1\n", r"s.toml:3: \[latency\]: no devices"),
        (f"{MODEL}[tolerances]\nsize = 1.5\n", "s.toml:4: .*got 1.5, expected at most 1"),
        (f"{MODEL}[tolerances]\nsize = '1%'\n", "got '1%', expected a number"),
        (f"{MODEL}[tolerances]\ninstruction = 1\n", "did you mean 'instructions'"),
        ("models = [3]\n", r"got 3, expected tables \[\[models\]\]"),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        read_suite(suite_of(tmp_path, text), full_name)
    assert caught.value.code == Exit.CONFIG


def test_no_such_suite() -> None:
    with pytest.raises(UserError, match="no suite 'smke': no such file, and shipped are mobile, smoke"):
        find_suite("smke")


def test_the_documented_suite_is_understood() -> None:
    from evit_deploy.benchmarks import suite as module

    page = Path(__file__).parents[2] / "docs" / "suites.md"
    text = page.read_text(encoding="utf-8")
    keys = {*module._TOP, *module._MODEL, *module._TOLERANCES, *module._LATENCY}
    assert {key for key in keys if f"`{key}`" not in text} == set()

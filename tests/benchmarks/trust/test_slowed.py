"""A file that was made slower still computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evit_deploy.benchmarks.per_operator.tflite_operators import TfliteGraph
from evit_deploy.benchmarks.trust.slowed import slow_down
from evit_deploy.runtimes import open_runner


def outputs(path: Path) -> np.ndarray:
    with open_runner(path) as runner:
        shape = runner.inputs[0].shape
        image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        (found,) = runner.run({runner.inputs[0].name: image}).values()
        return np.asarray(found)


@pytest.mark.parametrize("operators", [2, 50])
def test_same_outputs_and_so_many_operators_more(tiny_tflite: Path, tmp_path: Path, operators: int) -> None:
    slow = tmp_path / "slow.tflite"
    slow_down(tiny_tflite, operators, slow)
    assert len(TfliteGraph(slow).operators) == len(TfliteGraph(tiny_tflite).operators) + operators
    np.testing.assert_array_equal(outputs(slow), outputs(tiny_tflite))


def test_the_source_is_left_alone(tiny_tflite: Path, tmp_path: Path) -> None:
    before = tiny_tflite.read_bytes()
    slow_down(tiny_tflite, 3, tmp_path / "slow.tflite")
    assert tiny_tflite.read_bytes() == before

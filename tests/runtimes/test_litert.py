from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.runtimes import delegation_of, open_runner
from evit_deploy.runtimes.litert import LiteRtRunner, load_interpreter


def test_names_are_those_of_the_signature(tiny_tflite: Path) -> None:
    with open_runner(tiny_tflite) as runner:
        assert [(i.name, i.shape, i.dtype) for i in runner.inputs] == [("args_0", (1, 3, 16, 16), "float32")]
        assert [(o.name, o.shape) for o in runner.outputs] == [("output_0", (1, 10))]


def test_delegate_computes_what_the_built_in_kernels_do(tiny_tflite: Path) -> None:
    image = np.random.default_rng(0).standard_normal((1, 3, 16, 16), dtype=np.float32)
    with LiteRtRunner(tiny_tflite, delegate=False) as plain, open_runner(tiny_tflite) as delegated:
        expected = plain.run({"args_0": image})["output_0"]
        np.testing.assert_allclose(delegated.run({"args_0": image})["output_0"], expected, atol=1e-5)


def test_bound_call_runs_on_the_bound_inputs(tiny_tflite: Path) -> None:
    image = np.ones((1, 3, 16, 16), np.float32)
    with open_runner(tiny_tflite) as runner:
        call = runner.bind({"args_0": image})
        call()
        ones = runner.fetch()["output_0"]
        zeros = runner.run({"args_0": image * 0})["output_0"]
        assert not np.array_equal(ones, zeros)
        np.testing.assert_array_equal(runner.run({"args_0": image})["output_0"], ones)


def test_one_partition(tiny_tflite: Path) -> None:
    delegation = delegation_of(tiny_tflite)
    assert (delegation.partitions, delegation.delegated_ops, delegation.total_ops) == (1, 7, 7)
    assert delegation.op_histogram["CONV_2D"] == 1
    assert sum(delegation.op_histogram.values()) == 7


def test_an_operator_that_xnnpack_does_not_take_splits_the_graph(split_tflite: Path) -> None:
    delegation = delegation_of(split_tflite)
    assert delegation.partitions == 2
    assert delegation.delegated_ops == delegation.total_ops - delegation.op_histogram["CUMSUM"]


def test_unknown_interpreter_lists_the_known() -> None:
    with pytest.raises(UserError, match="auto, litert, tflite_runtime, tensorflow"):
        load_interpreter("tflite")


@pytest.mark.skipif(find_spec("tflite_runtime") is not None, reason="tflite_runtime is installed")
def test_missing_interpreter_says_how_to_install_it(tiny_tflite: Path) -> None:
    with pytest.raises(SetupError, match="pip install tflite-runtime") as caught:
        open_runner(tiny_tflite, interpreter="tflite_runtime")
    assert caught.value.code == Exit.RUNTIME


@pytest.mark.tensorflow
def test_tensorflow_agrees(tiny_tflite: Path) -> None:
    image = np.ones((1, 3, 16, 16), np.float32)
    with open_runner(tiny_tflite) as ours, open_runner(tiny_tflite, interpreter="tensorflow") as theirs:
        expected = theirs.run({"args_0": image})["output_0"]
        np.testing.assert_allclose(ours.run({"args_0": image})["output_0"], expected, atol=1e-5)

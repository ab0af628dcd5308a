from __future__ import annotations

import io

import numpy as np
import pytest

from evit_deploy.exporters.check_file import MAX_VALUES, check_file, stride_for
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.samples import check_inputs


@pytest.mark.parametrize("preprocess", [False, True])
def test_gives_back_the_noise_and_the_reference(preprocess: bool) -> None:
    options = ExportOptions("onnx", (32, 64), preprocess=preprocess, layout="nhwc")
    output = np.random.default_rng(0).standard_normal((1, 5, 4, 8))
    stored = np.load(io.BytesIO(check_file(options, output)), allow_pickle=False)
    image = stored["image"] if preprocess else stored["image"] * stored["image_scale"]
    assert (stored["image_scale"] == 0) == preprocess
    assert np.array_equal(image, check_inputs(options)["noise"].numpy())
    assert stored["output_stride"] == 1
    assert np.array_equal(stored["output"], output.ravel().astype(np.float32))


def test_large_outputs_are_thinned_out() -> None:
    output = np.arange(3 * MAX_VALUES, dtype=np.float64).reshape(1, 3, -1)
    content = check_file(ExportOptions("onnx", (32, 32)), output)
    stored = np.load(io.BytesIO(content))
    stride = int(stored["output_stride"])
    assert stored["output"].size <= MAX_VALUES
    assert np.array_equal(stored["output"], np.arange(0, output.size, stride, dtype=np.float32))


@pytest.mark.parametrize("size", [1, MAX_VALUES, MAX_VALUES + 1, 2 * MAX_VALUES, 19 * 1024 * 2048])
def test_strides_are_odd_and_leave_enough(size: int) -> None:
    stride = stride_for(size)
    assert stride % 2 == 1
    assert size / stride <= MAX_VALUES
    assert size / stride > MAX_VALUES / 3 or stride == 1


def test_the_same_bytes_twice() -> None:
    options = ExportOptions("onnx", (32, 32))
    assert check_file(options, np.ones((1, 4))) == check_file(options, np.ones((1, 4)))

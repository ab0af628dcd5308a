from __future__ import annotations

import numpy as np
import pytest
import torch
from edgenext_samples import noise
from torch import nn

from evit_deploy.exporters.rewrites.erf_gelu import ErfGelu, for_onnx
from evit_deploy.exporters.to_onnx import onnx_from_torch


def test_fires_on_the_exact_gelu_alone() -> None:
    assert isinstance(for_onnx(nn.GELU()), ErfGelu)
    for act in (nn.GELU(approximate="tanh"), nn.Hardswish()):
        assert for_onnx(act) is act


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_numerics(scale: float, relative_error) -> None:
    x = noise(2, 5, 7) * scale
    assert relative_error(nn.GELU()(x), for_onnx(nn.GELU())(x)) < 1e-10


@pytest.mark.parametrize("act", [ErfGelu(), nn.GELU()], ids=["ours", "of opset 20"])
def test_onnx_runtime_makes_one_operator_of_it(act: nn.Module, tmp_path) -> None:
    import onnx
    import onnxruntime

    model = onnx_from_torch(nn.Sequential(act), torch.zeros(1, 4, 3, 3), output_name="logits")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    ops = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert (ops.count("Gelu"), ops.count("Erf")) == (1, 0)
    x = noise(1, 4, 3, 3)
    (output,) = session.run(None, {"image": x.float().numpy()})
    np.testing.assert_allclose(output, nn.functional.gelu(x).numpy(), atol=1e-6)

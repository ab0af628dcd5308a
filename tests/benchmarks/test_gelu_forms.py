"""Every form of GELU that is counted computes GELU."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
import pytest

from evit_deploy.benchmarks.gelu_forms import FORMS, SHAPE, graph_of
from evit_deploy.parity import compare_outputs


@pytest.mark.parametrize("name", FORMS)
def test_is_gelu(name: str) -> None:
    x = (3 * np.random.default_rng(0).standard_normal(SHAPE)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        graph_of(FORMS[name]).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (output,) = session.run(None, {"x": x})
    wide = x.astype(np.float64)
    inner = math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)
    far = compare_outputs(0.5 * wide * (1 + np.tanh(inner)), output, class_axis=None).sqnr_db
    assert (far > 120) != name.startswith("HardSwish")  # the control: another function

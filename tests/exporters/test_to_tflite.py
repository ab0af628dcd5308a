from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.errors import EvitError, Exit, SetupError
from evit_deploy.exporters.tflite_metadata import write_model
from evit_deploy.exporters.to_tflite import tflite_from_torch

IMAGE = torch.zeros(1, 3, 8, 8)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).relu()


class Unsupported(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        raise RuntimeError("as asked")


def test_names_in_tensors_and_signature_and_the_same_bytes_twice() -> None:
    first, second = (tflite_from_torch(Small().eval(), IMAGE, output_name="classes") for _ in range(2))
    (graph,), (signature,) = first.subgraphs, first.signatureDefs
    assert [graph.tensors[i].name for i in (*graph.inputs, *graph.outputs)] == [b"image", b"classes"]
    assert [end.name for end in (*signature.inputs, *signature.outputs)] == [b"image", b"classes"]
    assert write_model(first) == write_model(second)


def test_a_failure_says_why() -> None:
    with pytest.raises(EvitError, match="conversion to TFLite failed: RuntimeError: as asked;") as caught:
        tflite_from_torch(Unsupported(), IMAGE, output_name="logits")
    assert caught.value.code == Exit.CONVERSION


def test_without_the_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(SetupError, match=r"evit-deploy\[export\]") as caught:
        tflite_from_torch(Small(), IMAGE, output_name="logits")
    assert caught.value.code == Exit.MISSING_EXTRA

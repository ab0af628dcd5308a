"""A graph in pieces: where it is cut, and that cutting changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evit_deploy.benchmarks.float16.pieces import Pieces, cut
from evit_deploy.benchmarks.float16.run import FORCED, Chain, Step, chain_of, runs_on
from evit_deploy.benchmarks.per_operator.tflite_operators import TfliteGraph
from evit_deploy.devices import LocalDevice
from evit_deploy.errors import UserError
from evit_deploy.exporters.tflite_metadata import write_model
from evit_deploy.exporters.to_tflite import tflite_from_torch
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import DEFAULTS

WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
SIZE = (1, 8, 8, 8)


class Attention(nn.Module):
    """A residual attention of one head over 64 tokens: (1, 8, 8, 8) NHWC -> the same."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(1, 64, 24).split(8, dim=2)
        q, k = q.relu(), k.relu()
        total = q @ k.sum(1, keepdim=True).transpose(1, 2)  # (1, 64, 1)
        out = q @ (k.transpose(1, 2) @ v) / total.clamp(min=2.0**-14)  # (1, 64, 8)
        return x + self.proj(out).reshape(x.shape)


class Twice(nn.Module):
    """Two of them, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Attention(), Attention()

    def forward(self, image: Tensor) -> Tensor:
        return self.second(self.first(image))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("twice") / "twice.tflite"
    path.write_bytes(write_model(tflite_from_torch(Twice().eval(), torch.zeros(SIZE), output_name="logits")))
    return path


@pytest.fixture(scope="module")
def pieces(file: Path) -> Pieces:
    return cut(file.read_bytes())


def kinds(content: bytes, folder: Path) -> Counter[str]:
    path = folder / "piece.tflite"
    path.write_bytes(content)
    return Counter(operator.name.rpartition("_")[0] for operator in TfliteGraph(path).operators)


def test_attentions_are_between_the_others_and_have_no_weights(pieces: Pieces, tmp_path: Path) -> None:
    assert [piece.attention for piece in pieces.pieces] == [False, True, False, True, False]
    assert pieces.attentions == 2
    for piece in pieces.pieces:
        found = kinds(piece.content, tmp_path)
        assert bool(WEIGHTED & set(found)) is not piece.attention
        assert found["DIV"] == piece.attention


def test_every_operator_is_in_one_piece(pieces: Pieces, file: Path, tmp_path: Path) -> None:
    together = sum((kinds(piece.content, tmp_path) for piece in pieces.pieces), Counter())
    assert together == kinds(file.read_bytes(), tmp_path)


def test_cutting_changes_nothing_in_float16_and_the_attention_is_in_float32(
    pieces: Pieces, file: Path
) -> None:
    image = np.random.default_rng(0).standard_normal(SIZE, dtype=np.float32)
    whole, exact = (
        Chain("image", "logits", (Step(file, ("image",), options),)) for options in (FORCED, DEFAULTS)
    )
    with (
        runs_on(LocalDevice(), lambda _: None) as run,
        chain_of(pieces, attention=FORCED) as float16,
        chain_of(pieces) as float32_attention,
    ):
        expected, in_float16, reference, mixed = (
            run(chain, [image])[0] for chain in (whole, float16, exact, float32_attention)
        )
    assert np.array_equal(in_float16, expected)
    assert not np.array_equal(mixed, expected)
    for output in (expected, mixed):
        assert 50 < compare_outputs(reference, output).sqnr_db < 90


def test_what_has_no_attention_is_refused(tiny_tflite: Path) -> None:
    with pytest.raises(UserError, match="the graph has no division"):
        cut(tiny_tflite.read_bytes())

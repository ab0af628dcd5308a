"""Models that are not ours in structure, with linear attention in them, through rewrites and exporters.

TokenNet   as transformers has it: patches, tokens, LayerNorm, linear layers, a result with keys
MapNet     on maps: one convolution for q, k, v in an order of its own, a result of two parts
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from evit_deploy.artifact import check_path, manifest_path, read_manifest
from evit_deploy.benchmarks.accuracy.subject import opened_artifact
from evit_deploy.benchmarks.picture import draw_picture
from evit_deploy.errors import Exit, ParityError, UserError
from evit_deploy.exporters.custom import AttentionWeights, export_module
from evit_deploy.exporters.custom_attention import Adapter, adapted
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.models.attention import LiteMLA
from evit_deploy.runtimes import open_runner

EXAMPLE = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))


class LinearSelfAttention(nn.Module):
    """(B, N, C) -> (B, N, C); 2 heads of 8 channels on 12."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = nn.Linear(12, 16), nn.Linear(12, 16, bias=False), nn.Linear(12, 16)
        self.to_out = nn.Linear(16, 12)

    def forward(self, tokens: Tensor) -> Tensor:
        split = (
            layer(tokens).unflatten(-1, (2, 8)).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v)
        )
        q, k, v = split  # each (B, h, N, d)
        q, k = q.relu() * 8**-0.5, k.relu()
        out = q @ (k.transpose(-1, -2) @ v) / (q @ k.sum(dim=2).unsqueeze(-1) + 1e-12)  # (B, h, N, d)
        projected: Tensor = self.to_out(out.transpose(1, 2).flatten(2))
        return projected


class TokenNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, stride=4)
        self.norm = nn.LayerNorm(12)
        self.attention = LinearSelfAttention()
        self.mlp = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))
        self.head = nn.Linear(12, 7)

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        tokens = self.patches(pixel_values).flatten(2).transpose(1, 2)  # (B, N, C)
        tokens = tokens + self.attention(self.norm(tokens))
        tokens = tokens + self.mlp(tokens)
        return {"logits": self.head(tokens.mean(dim=1)), "last_hidden_state": tokens}


class FusedAttention(nn.Module):
    """(B, C, H, W) -> (B, C, H, W) and its q; all of q, then all of k, then all of v."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(8, 24, 1, bias=False)
        self.proj = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        b, _, h, w = x.shape
        raw, k, v = self.qkv(x).flatten(2).unflatten(1, (3, 2, 4)).unbind(1)  # each (B, h, d, N)
        q, k = raw.relu(), k.relu()
        out = (v @ k.transpose(-1, -2)) @ q / (k.sum(-1, keepdim=True).transpose(-1, -2) @ q + 1e-15)
        return self.proj(out.reshape(b, 8, h, w)), raw


class MapNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.SiLU())
        self.attention = FusedAttention()
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        attended, _ = self.attention(x)
        out: Tensor = self.out(x + attended)
        return out


class AsFused(nn.Module):
    """In the place of `FusedAttention`, whose second result nobody takes."""

    def __init__(self, attention: LiteMLA) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.attention(x), None


def seeded(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4, generator=generator)
    return module.eval()


def of_tokens(attention: LinearSelfAttention) -> AttentionWeights:
    return AttentionWeights(
        query=attention.to_q.weight,
        key=attention.to_k.weight,
        value=attention.to_v.weight,
        projection=attention.to_out.weight,
        dim=8,
        query_bias=attention.to_q.bias,
        value_bias=attention.to_v.bias,
        projection_bias=attention.to_out.bias,
        tokens=True,
    )


def of_maps(attention: FusedAttention) -> nn.Module:
    q, k, v = attention.qkv.weight.flatten(1).chunk(3)
    projection = attention.proj.weight.flatten(1)
    weights = AttentionWeights(q, k, v, projection, dim=4, projection_bias=attention.proj.bias)
    attended = weights.module()
    assert isinstance(attended, LiteMLA)
    return AsFused(attended)


def run(path: Path, image: Tensor) -> np.ndarray:
    with open_runner(path) as runner:
        (output,) = runner.run({"image": image.numpy()}).values()
    return output


@pytest.fixture(scope="module")
def token_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("custom") / "tokens.onnx"
    report = export_module(
        seeded(TokenNet()), EXAMPLE, path, attention={LinearSelfAttention: of_tokens}, output="logits"
    )
    assert report.passed
    return path


def test_tokens_to_onnx(token_net: Path) -> None:
    expected = seeded(TokenNet())(EXAMPLE)["logits"].detach()
    assert np.allclose(run(token_net, EXAMPLE), expected, atol=1e-5)


def test_the_attention_cannot_give_nan(token_net: Path) -> None:
    """The rewrite has taken place: the denominator is kept from zero by a ReLU or maximum, not an eps."""
    manifest = read_manifest(token_net)
    assert manifest is not None
    assert [c["place"].split()[0] for c in manifest.formulations.values()] == ["attention"]
    model = onnx.load(str(token_net))
    smallest = [onnx.numpy_helper.to_array(t).min() for t in model.graph.initializer if t.dims in ([], [1])]
    assert not any(0 < value < 1e-10 for value in smallest)


def test_manifest_and_check_file_are_those_of_an_artifact(token_net: Path) -> None:
    manifest = read_manifest(token_net)
    assert manifest is not None and (manifest.task, manifest.name) == ("custom", "tokens")
    assert manifest.graph.parameters == sum(p.numel() for p in TokenNet().parameters())
    assert manifest.graph.macs > 16 * 12 * 48
    assert {"example", "noise", "zeros", "negative"} <= set(manifest.parity["samples"])
    with np.load(check_path(token_net)) as check:
        image = check["image"].astype(np.float32) * check["image_scale"]
        assert np.allclose(run(token_net, torch.from_numpy(image)).ravel(), check["output"], atol=1e-5)


def test_verify_says_how(token_net: Path) -> None:
    with pytest.raises(UserError, match="calling export_module again") as caught:
        verify_artifact(token_net, weights=None, interpreter="auto", step=lambda _: None)
    assert caught.value.code == Exit.USAGE


def test_what_needs_classes_refuses_it(token_net: Path) -> None:
    judges = "is a custom model: evit-eval judges"
    with pytest.raises(UserError, match=judges), opened_artifact(token_net):
        pass
    with pytest.raises(UserError, match="is a custom model, whose answers are no classes"):
        draw_picture(token_net, None, token_net.with_suffix(".png"))


def test_maps_to_tflite_in_one_partition(tmp_path: Path) -> None:
    model = seeded(MapNet())
    path = tmp_path / "maps.tflite"
    more = {"black": torch.full_like(EXAMPLE, -2.0)}
    report = export_module(
        model, EXAMPLE, path, attention={FusedAttention: of_maps}, channels_last=True, samples=more
    )
    assert [check.sample for check in report.checks][-1] == "black"
    manifest = read_manifest(path)
    assert manifest is not None and manifest.graph.delegate_partitions == 1
    got = run(path, EXAMPLE.permute(0, 2, 3, 1).contiguous())
    assert np.allclose(got, model(EXAMPLE).detach().permute(0, 2, 3, 1), atol=1e-5)


def test_the_module_itself_is_left_alone(token_net: Path) -> None:
    model = seeded(MapNet()).train()
    changed, paths = adapted(model, {FusedAttention: of_maps})
    assert paths == ("attention",) and type(model.attention) is FusedAttention and model.training
    assert not changed.training


def with_(**changes: object) -> Adapter:
    return lambda attention: replace(of_tokens(attention), **changes)


WRONG: dict[str, tuple[Adapter, type[Exception], str]] = {
    "heads of another size": (
        with_(dim=4),
        ParityError,
        "attention at 'attention': the adapter's computes some",
    ),
    "a forgotten bias": (with_(query_bias=None), ParityError, "computes something else"),
    "maps instead of tokens": (with_(tokens=False), UserError, "the adapter's fails on its input"),
    "heads that do not divide": (
        with_(dim=5),
        UserError,
        "16 channels cannot be divided into heads of dim = 5",
    ),
    "shapes that do not fit": (
        with_(key=torch.ones(8, 12)),
        UserError,
        "attention weights do not fit together: query is (16, 12), key is (8, 12)",
    ),
    "a module without attention": (
        lambda _: nn.Identity(),
        UserError,
        "expected AttentionWeights or a module",
    ),
}


@pytest.mark.parametrize(("adapter", "kind", "text"), WRONG.values(), ids=WRONG)
def test_wrong_adapters_are_found(tmp_path: Path, adapter: Adapter, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        export_module(
            seeded(TokenNet()),
            EXAMPLE,
            tmp_path / "new" / "x.onnx",
            attention={LinearSelfAttention: adapter},
            output="logits",
        )
    assert text in str(caught.value) and not (tmp_path / "new").exists()


def refused(path: Path, *, example: Tensor = EXAMPLE, **arguments: object) -> str:
    with pytest.raises(UserError) as caught:
        export_module(seeded(TokenNet()), example, path, **arguments)  # type: ignore[arg-type]
    assert not manifest_path(path).exists()
    return str(caught.value)


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    assert "no module of the class FusedAttention" in refused(path, attention={FusedAttention: of_maps})
    assert "expected one of logits, last_hidden_state" in refused(path, output="logit")
    assert "expected torch.float32 with a batch axis" in refused(path, example=EXAMPLE.double())
    assert "with a batch axis of length 1" in refused(path, example=torch.cat([EXAMPLE, EXAMPLE]))
    assert "has another shape than the example" in refused(
        path, output="logits", samples={"small": torch.zeros(1, 3, 8, 8)}
    )
    assert "does not run on the example" in refused(path, output="logits", example=torch.zeros(1, 4, 16, 16))
    assert "ending '.pt'" in refused(tmp_path / "x.pt", output="logits")
    assert list(tmp_path.iterdir()) == []

"""Linear attention in a model that is not ours -> our `LiteMLA`, which the rewrites know.

    theirs   q, k, v = Q x + a, K x + b, V x + c;  q, k = relu(q), relu(k)
             out_n = (sum_m v_m k_m^T) q_n / ((sum_m k_m)^T q_n);  y = P out + e
    here     the same weights in a `LiteMLA` without aggregation, its channels head by head

Someone who knows the model says where the attention is and which tensors are Q, K, V and P: `Adapter`.
Whether that is right is checked on what the model itself computes, module by module.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evit_deploy.errors import ParityError, UserError
from evit_deploy.exporters.rewrites.surgery import put_at
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import ConvLayer
from evit_deploy.parity import compare_outputs

# Both in float64, they differ by their eps alone. A wrong order of heads, a forgotten bias or a swapped
# weight is below 40 dB.
SAME_DB = 80.0


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """The linear layers of one attention module; h heads of `dim` channels, the channels head by head.

    Attributes:
        query, key, value: (h * dim, C).
        projection: (C', h * dim), of what the heads give.
        dim: channels of a head.
        query_bias, key_bias, value_bias, projection_bias: (h * dim,) and (C',), where there are such.
        tokens: the module takes and gives (B, N, C); else maps, (B, C, H, W).
    """

    query: Tensor
    key: Tensor
    value: Tensor
    projection: Tensor
    dim: int
    query_bias: Tensor | None = None
    key_bias: Tensor | None = None
    value_bias: Tensor | None = None
    projection_bias: Tensor | None = None
    tokens: bool = False

    def module(self) -> nn.Module:
        """What computes the same, with a `LiteMLA` in it.

        Raises:
            UserError: shapes that do not belong together.
        """
        self._check()
        attention = _lite_mla(self)
        return OnTokens(attention) if self.tokens else attention

    def _check(self) -> None:
        inner, channels = self.query.shape
        shapes = {"key": self.key.shape, "value": self.value.shape}
        wrong = [f"{name} is {tuple(shape)}" for name, shape in shapes.items() if shape != (inner, channels)]
        if self.projection.ndim != 2 or self.projection.shape[1] != inner:
            wrong.append(f"projection is {tuple(self.projection.shape)}")
        if wrong:
            raise UserError(
                f"attention weights do not fit together: query is {(inner, channels)}, {', '.join(wrong)}; "
                "expected query, key, value (heads * dim, C) and projection (C', heads * dim)"
            )
        if inner % self.dim:
            raise UserError(
                f"attention weights: {inner} channels cannot be divided into heads of dim = {self.dim}"
            )


# Of one module of theirs: its weights, or a module of one's own that has a `LiteMLA` somewhere inside, for
# attention that takes more than one argument, gives more than a tensor, or aggregates.
Adapter = Callable[[Any], "AttentionWeights | nn.Module"]
Adapters = Mapping[type[nn.Module], Adapter]


class OnTokens(nn.Module):
    """A `LiteMLA` between tokens: they become a map of one row."""

    def __init__(self, attention: LiteMLA) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C')."""
        out: Tensor = self.attention(tokens.transpose(1, 2).unsqueeze(2))  # (B, C', 1, N)
        return out.squeeze(2).transpose(1, 2)


def adapted(model: nn.Module, adapters: Adapters) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy of `model` with our attention in the place of theirs, and the paths of these places.

    Raises:
        UserError: a class of which there is no module, or an adapter that gives something else.
    """
    changed = copy.deepcopy(model)
    paths = []
    for kind, adapter in adapters.items():
        found = [(path, module) for path, module in changed.named_modules() if type(module) is kind]
        if not found:
            present = sorted({type(module).__name__ for module in changed.modules()})
            raise UserError(
                f"attention: there is no module of the class {kind.__name__} in it; there are "
                f"{', '.join(present)}"
            )
        for path, module in found:
            put_at(changed, path, _module_from(adapter(module), kind))
            paths.append(path)
    return changed.eval().requires_grad_(False), tuple(paths)


def check_adapted(model: nn.Module, changed: nn.Module, paths: tuple[str, ...], example: Tensor) -> None:
    """Compare every attention of `changed` with what it stands for, on what reaches that one.

    Raises:
        ParityError: one computes something else; its path is in the message.
        UserError: one does not take the input at all, or is never called.
    """
    exact, ours = copy.deepcopy(model).double(), copy.deepcopy(changed).double()
    calls = _calls(exact, paths, example.double())
    for path in paths:
        arguments, keywords, expected = calls[path]
        try:
            with torch.no_grad():
                got = _first_tensor(ours.get_submodule(path)(*arguments, **keywords))
        except (RuntimeError, TypeError) as error:
            why = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(f"attention at '{path}': the adapter's fails on its input: {why}") from error
        if got.shape != expected.shape:
            raise ParityError(
                f"attention at '{path}': the adapter's gives {tuple(got.shape)}, expected "
                f"{tuple(expected.shape)}; is it on tokens or on maps?"
            )
        decibels = compare_outputs(expected.numpy(), got.numpy(), class_axis=None).sqnr_db
        if not decibels >= SAME_DB:
            raise ParityError(
                f"attention at '{path}': the adapter's computes something else ({decibels:.1f} dB, at least "
                f"{SAME_DB:g} dB are expected); look at dim, the order of heads, and biases"
            )


_Call = tuple[tuple[Any, ...], dict[str, Any], Tensor]


def _calls(model: nn.Module, paths: tuple[str, ...], example: Tensor) -> dict[str, _Call]:
    """Arguments and first tensor of the result of the modules at these paths, of their last call."""
    calls: dict[str, _Call] = {}

    def recorder(path: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]:
        def hook(_: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], result: Any) -> None:
            calls[path] = arguments, keywords, _first_tensor(result)

        return hook

    for path in paths:
        model.get_submodule(path).register_forward_hook(recorder(path), with_kwargs=True)
    with torch.no_grad():
        model(example)
    if missing := [path for path in paths if path not in calls]:
        raise UserError(f"attention at '{missing[0]}' is never called on the example input")
    return calls


def _first_tensor(result: Any) -> Tensor:
    first = result[0] if isinstance(result, tuple | list) else result
    if not isinstance(first, Tensor):
        raise UserError(f"attention: got a {type(first).__name__}, expected a tensor or a tuple of them")
    return first


def _module_from(given: AttentionWeights | nn.Module, kind: type[nn.Module]) -> nn.Module:
    if isinstance(given, AttentionWeights):
        return given.module()
    if isinstance(given, nn.Module) and any(isinstance(part, LiteMLA) for part in given.modules()):
        return given
    raise UserError(
        f"attention: the adapter of {kind.__name__} gives a {type(given).__name__}, expected "
        "AttentionWeights or a module with a LiteMLA in it"
    )


def _lite_mla(weights: AttentionWeights) -> LiteMLA:
    attention = LiteMLA(weights.query.shape[0], dim=weights.dim, scales=())
    parts = (weights.query, weights.key, weights.value)
    biases = (weights.query_bias, weights.key_bias, weights.value_bias)
    bias = None
    if any(given is not None for given in biases):
        bias = _by_heads(tuple(map(_or_zeros, biases, parts)), weights.dim)
    attention.qkv = _pointwise(_by_heads(parts, weights.dim), bias)
    attention.proj = _pointwise(weights.projection, weights.projection_bias)
    return attention


def _or_zeros(bias: Tensor | None, weight: Tensor) -> Tensor:
    return weight.new_zeros(weight.shape[0]) if bias is None else bias


def _by_heads(parts: tuple[Tensor, ...], dim: int) -> Tensor:
    """q, k, v, each (hd, ...) -> (3hd, ...), head by head as [q (d), k (d), v (d)]."""
    split = [part.detach().reshape(-1, dim, *part.shape[1:]) for part in parts]  # each (h, d, ...)
    return torch.cat(split, dim=1).reshape(-1, *parts[0].shape[1:])


def _pointwise(weight: Tensor, bias: Tensor | None) -> ConvLayer:
    """A linear layer's (C', C) as a 1x1 convolution."""
    out_channels, in_channels = weight.shape
    layer = ConvLayer(in_channels, out_channels, kernel=1, norm=False, bias=bias is not None)
    layer.conv.weight = nn.Parameter(weight.detach().clone().reshape(out_channels, in_channels, 1, 1))
    if bias is not None:
        layer.conv.bias = nn.Parameter(bias.detach().clone())
    return layer

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.peers.kinds import kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Conv 1x1", "1x1 convolution"),
        ("FusedConv 3x3/2", "3x3 convolution"),
        ("CONV_2D 1x1", "1x1 convolution"),
        ("CONV_2D 1x1 grouped", "grouped 1x1"),
        ("Conv 5x5 depthwise", "depthwise 5x5"),
        ("DEPTHWISE_CONV_2D 3x3/2", "depthwise 3x3"),
        ("DEPTHWISE_CONV_2D 3x3/2 depthwise", "depthwise 3x3"),
        ("HardSwish", "Hardswish"),
        ("HARD_SWISH", "Hardswish"),
        ("HardSigmoid", "Hardswish"),
        ("MatMul", None),
        ("ADD", None),
    ],
)
def test_one_name_for_what_every_runtime_calls_otherwise(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind

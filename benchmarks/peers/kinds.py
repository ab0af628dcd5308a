"""What kinds of operators are told apart, whatever a runtime or a format calls them.

    Conv, FusedConv, CONV_2D  1x1          -> 1x1 convolution
    DEPTHWISE_CONV_2D 5x5, Conv 5x5 depthwise  -> depthwise 5x5
    HardSwish, HARD_SWISH, HardSigmoid     -> Hardswish (ONNX Runtime makes it of HardSigmoid and Mul)

Everything else is "the rest": what a whole model takes less what these take alone.
"""

from __future__ import annotations

import re

HARDSWISH, REST = "Hardswish", "the rest"
_SIZE = re.compile(r"\d+x\d+")


def kind_of(name: str) -> str | None:
    """The kind of an operator, by the kind that `evit-bench profile` gives it; None: one of the rest."""
    lower = name.lower()
    size = _SIZE.search(lower)
    if "conv" in lower and size:
        if "depthwise" in lower:
            return f"depthwise {size[0]}"
        return f"grouped {size[0]}" if "grouped" in lower else f"{size[0]} convolution"
    return HARDSWISH if lower.replace("_", "").startswith(("hardswish", "hardsigmoid")) else None

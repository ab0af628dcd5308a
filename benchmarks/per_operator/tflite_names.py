"""From the tensors of a TFLite file to the modules of the model that they come from.

litert-torch names a tensor after the modules whose forward made it, class and name each:

    pkg.Deployable/pkg.EfficientViT_model/pkg.Backbone_backbone/pkg.OpSequence_2/torch...Conv2d_conv;3
    -> backbone.2.conv

Containers that are indexed and never called (`stages`, `op_list`) are not among them.
"""

from __future__ import annotations

_ROOT = "model"


def module_of(tensor: str) -> str:
    """The module path in a tensor's name; "" where there is none. Of fused operators, the first's."""
    first = tensor.partition(";")[0]
    parts = [part for part in map(_module_name, first.split("/")) if part]
    return ".".join(parts[1:] if parts[:1] == [_ROOT] else parts)


def _module_name(segment: str) -> str:
    """`torch.nn.modules.conv.Conv2d_depth_conv` -> `depth_conv`; a class has no underscore in its name."""
    return segment.rpartition(".")[2].partition("_")[2] if "." in segment else ""

"""ONNX from a rewritten PyTorch module.

    torch.export -> torch's ONNX exporter -> constants folded -> names by module path -> onnxsim -> checker

Of torch's two exporters the one built on torch.export is used. On our rewritten graphs both give the same
operators (B1 at 224: 74 Conv, 32 HardSwish, 21 MatMul, ...) and the same parity; the TorchScript one is
faster (1.6 s against 4) but is deprecated. The newer one is known to drop the published attention's
`+ 1e-15`, which makes NaN; the rewritten attention has no such term to drop, and `verify` looks for NaN.

Two parts of what the exporter does are left out, since on our graphs they find nothing; tests compare. It
has every program traced again to take operators apart, a quarter of an export's time: `onnx_translations`.
And its optimiser, a third, tries each of its rules on each node, where `fold_constants` and onnxsim find the
same in a fiftieth of that.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evit_deploy.exporters.onnx_simplify import simplified
from evit_deploy.exporters.onnx_translations import TRANSLATIONS, decomposed_if_need_be
from evit_deploy.exporters.quiet import conversion

if TYPE_CHECKING:
    import onnx
    import onnx_ir

OPSET = 18  # the oldest that torch's exporter writes natively; HardSwish is one operator from 14 on
# GELU is one operator from 20 on: in ONNX Runtime 12 instructions a value on a Cortex-A76, where the eight
# operators that it is before then take 26 (docs/formulations.md).
GELU_OPSET = 20
_SCOPES = "pkg.torch.onnx.name_scopes"


def onnx_from_torch(
    module: nn.Module, example: Tensor, *, output_name: str, dynamic_batch: bool = False
) -> onnx.ModelProto:
    """Convert a module of one input, `image`, and one output.

    Args:
        module: in eval mode.
        example: an input of the shape to export; its batch size is 1.
        output_name: of the graph's output.
        dynamic_batch: leave the batch size open.

    Raises:
        EvitError: the exporter failed, with the end of what it said.
    """
    with conversion("ONNX"):
        exported = _exported(module, example, output_name, dynamic_batch)
        name_by_module_path(exported)  # onnxsim keeps names, and loses the notes that they are made of
        return simplified(exported)


def _exported(module: nn.Module, example: Tensor, output_name: str, dynamic_batch: bool) -> onnx.ModelProto:
    # A batch of 1 would be taken for a constant.
    inputs = torch.cat([example, example]) if dynamic_batch else example
    with decomposed_if_need_be():
        program = torch.onnx.export(
            module,
            (inputs,),
            dynamo=True,
            opset_version=opset_for(module),
            input_names=["image"],
            output_names=[output_name],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},) if dynamic_batch else None,
            custom_translation_table=TRANSLATIONS,
            optimize=False,
            verbose=False,
        )
    if program is None:  # only where a file was to be written
        raise RuntimeError("the exporter returned no program")
    fold_constants(program.model)
    proto: onnx.ModelProto = program.model_proto
    return proto


def opset_for(module: nn.Module) -> int:
    """The oldest that has an operator for each of the module's activations."""
    return GELU_OPSET if any(isinstance(part, nn.GELU) for part in module.modules()) else OPSET


def fold_constants(model: onnx_ir.Model) -> None:
    """Compute in `model` what depends on no input, and keep what is then still used, each value once.

    A convolution without a bias comes with one of zeros, which ONNX Runtime would add.
    """
    from onnx_ir.passes import Sequential, common
    from onnxscript import optimizer
    from onnxscript.rewriter import RewriteRuleSet
    from onnxscript.rewriter.rules.common import remove_optional_bias_from_conv_rule

    optimizer.fold_constants(model)
    RewriteRuleSet([remove_optional_bias_from_conv_rule]).apply_to_model(model)
    Sequential(
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]  # onnx-ir gives its __init__ no types
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
    )(model)


def name_by_module_path(model: onnx.ModelProto) -> None:
    """Name every node after the module it comes from and drop the exporter's notes.

    `node_Conv_544` becomes `backbone.stages.2.op_list.1.context_module.main.qkv.conv/Conv`. The notes hold
    stack traces with paths of the machine that exported, which have no place in a file that is given away.
    """
    taken: dict[str, int] = {}
    for node in model.graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        scopes = ast.literal_eval(notes[_SCOPES]) if _SCOPES in notes else []
        path = scopes[-2].removeprefix("model").removeprefix(".") if len(scopes) >= 2 else ""
        name = f"{path}/{node.op_type}" if path else node.op_type
        taken[name] = taken.get(name, 0) + 1
        node.name = name if taken[name] == 1 else f"{name}_{taken[name]}"
        del node.metadata_props[:]
    for values in (model.graph.value_info, model.graph.input, model.graph.output, model.graph.initializer):
        for value in values:
            del value.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.name = "evit_deploy"

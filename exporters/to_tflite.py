"""TFLite from a rewritten PyTorch module, through litert-torch.

    torch.export -> litert-torch (MLIR) -> flatbuffer -> names of input and output

Nothing beyond the conversion is asked of the converter: the rewrites have made a graph that XNNPACK takes
whole, in one partition.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from evit_deploy.errors import Exit, SetupError
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.tflite_metadata import read_model


def tflite_from_torch(module: nn.Module, example: Tensor, *, output_name: str) -> Any:
    """Convert a module of one input, which becomes `image`, and one output.

    Args:
        module: in eval mode, taking and giving the layout that the file is to have.
        example: an input of the shape to export.
        output_name: of the graph's output.

    Returns:
        The model as the flatbuffer schema's object tree (`ModelT`).

    Raises:
        EvitError: the converter failed, with the end of what it said.
        SetupError: litert-torch is not installed (it has wheels for x86-64 only).
    """
    with conversion("TFLite"):
        try:
            import litert_torch
        except ImportError as error:
            raise SetupError(
                f"export to TFLite needs litert-torch, which cannot be imported ({error}); install "
                "'evit-deploy[export]' on an x86-64 machine (its converter has no other wheels)",
                Exit.MISSING_EXTRA,
            ) from error
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            litert_torch.convert(module, sample_kwargs={"image": example}).export(str(path))
            content = path.read_bytes()
    model = read_model(content)
    name_ends(model, output_name)
    return model


def name_ends(model: Any, output_name: str) -> None:
    """Call the single input `image` and the single output `output_name`, in tensors and signature alike."""
    graph = model.subgraphs[0]
    (signature,) = model.signatureDefs
    for tensors, ends, name in (
        (graph.inputs, signature.inputs, "image"),
        (graph.outputs, signature.outputs, output_name),
    ):
        (index,) = tensors
        (end,) = ends
        graph.tensors[index].name = name.encode()
        end.name = name.encode()

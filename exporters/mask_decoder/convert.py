"""The decoder's graph in each format: several inputs and two outputs, all under their own names."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from evit_deploy.artifact import EMBEDDED_KEY
from evit_deploy.exporters import tflite_metadata
from evit_deploy.exporters.mask_decoder.options import OPEN, DecoderOptions
from evit_deploy.exporters.mask_decoder.prompts import INPUTS, OUTPUTS
from evit_deploy.exporters.mask_decoder.token_major import TokenMaskDecoder
from evit_deploy.exporters.onnx_simplify import simplified
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.to_onnx import fold_constants, name_by_module_path, opset_for

Examples = Mapping[str, Tensor]
Convert = Callable[[TokenMaskDecoder, Examples, DecoderOptions, bytes], bytes]


def onnx_decoder(module: TokenMaskDecoder, examples: Examples, options: DecoderOptions, note: bytes) -> bytes:
    """The ONNX file; the number of points is open where the options leave it so.

    Args:
        examples: an input of each name, several points among them.
        note: the manifest's essentials, which go into the file.

    Raises:
        EvitError: the exporter failed.
    """
    shapes: dict[str, dict[int, torch.export.Dim] | None] = dict.fromkeys(INPUTS)
    if options.points is OPEN:
        points = torch.export.Dim("points", min=1)
        shapes |= {"point_coords": {1: points}, "point_labels": {1: points}}
    with conversion("ONNX"):
        program = torch.onnx.export(
            module,
            kwargs=dict(examples),
            dynamo=True,
            opset_version=opset_for(module),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=shapes,
            optimize=False,
            verbose=False,
        )
        assert program is not None, "only where a file is to be written"
        fold_constants(program.model)
        proto = program.model_proto
        name_by_module_path(proto)
        model = simplified(proto)
    model.metadata_props.add(key=EMBEDDED_KEY, value=note.decode())
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def tflite_decoder(
    module: TokenMaskDecoder, examples: Examples, options: DecoderOptions, note: bytes
) -> bytes:
    """The TFLite file, for as many points as the examples have.

    Raises:
        EvitError: the converter failed, or is not installed.
    """
    with conversion("TFLite"):
        import litert_torch

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "decoder.tflite"
            litert_torch.convert(module, sample_kwargs=dict(examples)).export(str(path))
            model = tflite_metadata.read_model(path.read_bytes())
    graph, (signature,) = model.subgraphs[0], model.signatureDefs
    for end in signature.inputs:
        graph.tensors[end.tensorIndex].name = end.name  # the names of the arguments
    # In the order of the results, which the signature numbers.
    for end, name in zip(sorted(signature.outputs, key=lambda e: e.name), OUTPUTS, strict=True):
        graph.tensors[end.tensorIndex].name = end.name = name.encode()
    tflite_metadata.embed(model, note)
    return tflite_metadata.write_model(model)


CONVERTERS: Mapping[str, Convert] = {"onnx": onnx_decoder, "tflite": tflite_decoder}

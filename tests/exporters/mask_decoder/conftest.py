"""One reference and one export of the decoder, made once a run."""

from __future__ import annotations

import pytest

from evit_deploy.exporters.mask_decoder.export import (
    DecoderJob,
    ExportedDecoder,
    export_decoder,
    reference_decoder,
)
from evit_deploy.exporters.mask_decoder.options import DecoderOptions
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.models.mask_decoder import PromptedMaskDecoder
from evit_deploy.models.weights import LoadedWeights
from evit_deploy.models.zoo import find_model


@pytest.fixture(scope="session")
def decoder_weights() -> LoadedWeights:
    """Random, seed 0."""
    from evit_deploy.models.mask_decoder_weights import resolve_decoder_weights

    with captured_output():
        return resolve_decoder_weights(find_model("sam-l0"), "random")


@pytest.fixture(scope="session")
def reference(decoder_weights: LoadedWeights) -> PromptedMaskDecoder:
    return reference_decoder(decoder_weights)


@pytest.fixture(scope="session")
def onnx_decoder(decoder_weights: LoadedWeights, tmp_path_factory: pytest.TempPathFactory) -> ExportedDecoder:
    """Nobody may change the files."""
    spec, folder = find_model("sam-l0"), tmp_path_factory.mktemp("decoder")
    return export_decoder(DecoderJob(spec, DecoderOptions("onnx").settled(spec), decoder_weights, folder))

"""The decoder's files: verified at several prompts, described by a manifest, refused where they are wrong."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from evit_deploy.artifact import EMBEDDED_KEY, read_manifest
from evit_deploy.errors import Exit, ParityError, UserError
from evit_deploy.exporters.mask_decoder import export as module_under_test
from evit_deploy.exporters.mask_decoder.export import DecoderJob, ExportedDecoder, export_decoder
from evit_deploy.exporters.mask_decoder.options import DEFAULT_POINTS, DecoderOptions
from evit_deploy.models.weights import LoadedWeights
from evit_deploy.models.zoo import find_model
from evit_deploy.runtimes import DYNAMIC, open_runner

SAM = find_model("sam-l0")


def test_verified_at_every_prompt(onnx_decoder: ExportedDecoder) -> None:
    samples = {check.sample for check in onnx_decoder.report.checks}
    assert {f"{name}: masks" for name in ("point", "points", "box", "box, point", "mask alone")} <= samples
    assert {"many points: masks", "many points: iou_predictions"} <= samples
    assert all(check.comparison.sqnr_db >= 90 for check in onnx_decoder.report.checks)


def test_takes_any_number_of_points(onnx_decoder: ExportedDecoder) -> None:
    with open_runner(onnx_decoder.path) as runner:
        shapes = {info.name: info.shape for info in runner.inputs}
        assert [info.name for info in runner.outputs] == ["masks", "iou_predictions"]
    assert shapes["point_coords"] == (1, DYNAMIC, 2)
    assert shapes["point_labels"] == (1, DYNAMIC)
    assert shapes["image_embedding"] == (1, 256, 64, 64)


def test_manifest(onnx_decoder: ExportedDecoder) -> None:
    manifest = read_manifest(onnx_decoder.path)
    assert manifest == onnx_decoder.manifest
    assert (manifest.model, manifest.task) == ("efficientvit-sam-l0", "mask-decoding")
    assert manifest.options == {"points": None, "coordinate_side": 1024}
    assert manifest.inputs[1].shape == (1, -1, 2)
    assert manifest.weights.source == "random"
    assert onnx_decoder.path.name == "efficientvit_sam_l0_decoder-fp32-random.onnx"
    (note,) = (p.value for p in onnx.load(onnx_decoder.path).metadata_props if p.key == EMBEDDED_KEY)
    assert json.loads(note)["task"] == "mask-decoding"


def test_no_map_is_transposed_back(onnx_decoder: ExportedDecoder) -> None:
    operators = onnx_decoder.manifest.graph.op_histogram
    assert not {"ConvTranspose", "Conv", "Where", "Equal"} & operators.keys()


@pytest.mark.slow
def test_a_wrong_graph_is_refused_and_leaves_nothing(
    decoder_weights: LoadedWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = module_under_test.exported_form

    def wrong(*arguments: object) -> torch.nn.Module:
        module = form(*arguments)
        with torch.no_grad():
            module.final_attention.scaling *= 1.01
        return module

    monkeypatch.setattr(module_under_test, "exported_form", wrong)
    job = DecoderJob(SAM, DecoderOptions("onnx"), decoder_weights, tmp_path / "out")
    with pytest.raises(ParityError, match=r"differs from the reference: SQNR is .* nothing was written"):
        export_decoder(job)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_tflite_takes_up_to_as_many_points_as_it_was_made_for(
    decoder_weights: LoadedWeights, tmp_path: Path
) -> None:
    made = export_decoder(DecoderJob(SAM, DecoderOptions("tflite").settled(SAM), decoder_weights, tmp_path))
    assert made.path.name == "efficientvit_sam_l0_decoder-p8-fp32-random.tflite"
    assert all(check.comparison.sqnr_db >= 90 for check in made.report.checks)
    with open_runner(made.path) as runner:
        shapes = {info.name: info.shape for info in runner.inputs}
    assert shapes["point_coords"] == (1, DEFAULT_POINTS, 2)
    assert shapes["image_embedding"] == (1, 64, 64, 256)
    facts = made.manifest.graph
    assert (facts.delegate_partitions, facts.delegated_ops) == (1, facts.total_ops)


def test_other_models_have_no_mask_decoder() -> None:
    with pytest.raises(UserError, match="efficientvit-b1 is a classification model") as caught:
        DecoderOptions("onnx").settled(find_model("b1"))
    assert caught.value.code == Exit.USAGE


def test_a_box_must_find_room() -> None:
    with pytest.raises(UserError, match="--points 1: expected at least 2"):
        DecoderOptions("onnx", 1).settled(SAM)


@pytest.mark.slow
def test_a_fixed_number_of_points_in_onnx(decoder_weights: LoadedWeights, tmp_path: Path) -> None:
    made = export_decoder(DecoderJob(SAM, DecoderOptions("onnx", 3), decoder_weights, tmp_path))
    with open_runner(made.path) as runner:
        assert {info.name: info.shape for info in runner.inputs}["point_labels"] == (1, 3)
    assert {check.sample for check in made.report.checks} >= {"box, point: masks", "mask alone: masks"}
    assert not any(check.sample.startswith("points") for check in made.report.checks)


def test_options_in_the_name(decoder_weights: LoadedWeights, tmp_path: Path) -> None:
    trained = replace(decoder_weights, provenance=replace(decoder_weights.provenance, source="file"))
    job = DecoderJob(SAM, DecoderOptions("onnx", 4), trained, tmp_path)
    assert job.path.name == "efficientvit_sam_l0_decoder-p4-fp32.onnx"

"""EdgeNeXt's blocks: what formulations give in numbers is in tests/exporters/formulations."""

from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, IMAGE, LAYER_NORM, small

from evit_deploy.exporters.rewrites import PIPELINES, apply_rewrites
from evit_deploy.exporters.rewrites.static_sdta import channel_major, token_major
from evit_deploy.models.edgenext import EdgeNeXtArchitecture

both_norms = pytest.mark.parametrize("config", [LAYER_NORM, BATCH_NORM], ids=["layer norm", "batch norm"])


@both_norms
def test_the_pipelines_keep_the_function(config: EdgeNeXtArchitecture, relative_error) -> None:
    model = small(config)
    for pipeline in PIPELINES.values():
        rewritten, fired = apply_rewrites(model, IMAGE, pipeline)
        assert {"norm-affine-fold", "layer-scale-fold", "positions-constant"} <= set(fired)
        assert relative_error(model(IMAGE), rewritten(IMAGE)) < 1e-10


@both_norms
def test_groups_are_static_slices_and_one_partition(
    config: EdgeNeXtArchitecture, onnx_ops, tflite_delegation
) -> None:
    model, _ = apply_rewrites(small(config), IMAGE, PIPELINES["onnx"])
    block = model.float().stages[2][1]  # 20 channels in three groups: 7, 7, 6
    example = torch.zeros(1, 20, 4, 6)
    ops = onnx_ops(channel_major(copy.deepcopy(block), 4, 6), example)
    assert (ops["Slice"], ops["Split"], ops["Concat"]) == (3, 0, 1)
    assert ops["Conv"] == 2 + 4 + 2 + (0 if config.batch_norm else 4)  # two means of two norms
    delegation = tflite_delegation(token_major(block, 4, 6), example)
    assert delegation.partitions == 1
    assert delegation.delegated_ops == delegation.total_ops

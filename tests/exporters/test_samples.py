from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.samples import NOISE_STEP, check_inputs, noise_codes, photograph
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, find_model
from evit_deploy.photographs import shipped_photographs

PHOTOGRAPHS = {"photo-china", "photo-flower"}


def options(**chosen: object) -> ExportOptions:
    return ExportOptions("onnx", (64, 96), **chosen)


def test_what_float_graphs_are_checked_on() -> None:
    samples = check_inputs(options())
    assert samples.keys() == {"noise", "zeros", "large", "negative"} | PHOTOGRAPHS
    assert {(tuple(s.shape), s.dtype) for s in samples.values()} == {((1, 3, 64, 96), torch.float32)}
    assert samples["zeros"].count_nonzero() == 0
    assert samples["negative"].max() < 0
    assert samples["large"].abs().max() > 3e4
    assert 0.95 < samples["noise"].std() < 1.05


def test_models_to_compare_with_are_spared_the_extremes() -> None:
    ours, theirs = (options().settled(find_model(n)) for n in ("seg-b0-cityscapes", "segnext-t"))
    assert check_inputs(ours).keys() - check_inputs(theirs).keys() == {"large"}


def test_what_pixel_graphs_are_checked_on() -> None:
    samples = check_inputs(options(preprocess=True, layout="nhwc"))
    assert samples.keys() == {"noise", "black", "white"} | PHOTOGRAPHS
    assert {(tuple(s.shape), s.dtype) for s in samples.values()} == {((1, 64, 96, 3), torch.uint8)}
    assert (samples["black"].max(), samples["white"].min()) == (0, 255)


def test_layouts_hold_the_same_pictures() -> None:
    first, last = check_inputs(options()), check_inputs(options(layout="nhwc"))
    for name, sample in first.items():
        assert torch.equal(sample, last[name].permute(0, 3, 1, 2)), name


def test_noise_fits_a_byte_exactly() -> None:
    noise = check_inputs(options())["noise"].numpy()
    assert np.array_equal(noise, noise_codes(options()).astype(np.float32) * np.float32(NOISE_STEP))


def test_photographs_are_real_and_normalised() -> None:
    (path, *_) = shipped_photographs().values()
    pixels = photograph(path, options(preprocess=True, layout="nhwc"))  # (1, H, W, 3)
    assert len(pixels.unique()) > 100
    values = photograph(path, options())  # (1, 3, H, W)
    for channel, (mean, std) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        wanted = (pixels[..., channel].double() / 255 - mean) / std
        torch.testing.assert_close(values[:, channel].double(), wanted, rtol=1e-6, atol=1e-6)


def test_photographs_are_left_out_where_scikit_learn_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert check_inputs(options()).keys() == {"noise", "zeros", "large", "negative"}

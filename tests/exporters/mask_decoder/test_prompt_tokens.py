from __future__ import annotations

import math

import torch

from evit_deploy.exporters.mask_decoder.prompt_tokens import sine_of_turns


def test_sine_is_a_sine() -> None:
    turns = torch.linspace(-6, 6, 4801, dtype=torch.float64)
    assert float((sine_of_turns(turns) - (2 * math.pi * turns).sin()).abs().max()) < 1e-9
    cosine = (2 * math.pi * turns).cos()
    assert float((sine_of_turns(turns + 0.25) - cosine).abs().max()) < 1e-9


def test_sine_in_float32_is_as_close_as_float32_is() -> None:
    turns = torch.linspace(-6, 6, 4801)
    exact = (2 * math.pi * turns.double()).sin()
    assert float((sine_of_turns(turns) - exact).abs().max()) < 5e-7

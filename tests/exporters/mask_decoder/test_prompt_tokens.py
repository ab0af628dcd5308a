from __future__ import annotations

import math

import torch

from evit_deploy.exporters.mask_decoder.prompt_tokens import sine_of_turns


def test_sine_is_a_sine() -> None:
    turns = torch.linspace(-6, 6, 4801, dtype=torch.float64)
    assert float((sine_of_turns(turns) - (2 * math.pi * turns).sin()).abs().max()) < 1e-9
    cosine = (2 * math.pi * turns).cos()
    assert float((sine_of_turns(turns + 0.25) - cosine).abs().max()) < 1e-9


def test_sine_in_float32_is_as_close_as_its_angle_is() -> None:
    """Half a last place of 6.25 turns is 2.4e-7 of a turn, 1.5e-6 of an angle."""
    turns = torch.linspace(-6, 6, 4801)
    exact = (2 * math.pi * turns.double()).sin()
    assert float((sine_of_turns(turns) - exact).abs().max()) < 2e-6

from __future__ import annotations

import torch

from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model

SPEC = find_model("seg-b0-cityscapes")


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = (seeded_state_dict(SPEC, seed=3) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_other_seeds_give_other_weights() -> None:
    drawn = [seeded_state_dict(SPEC, seed=seed) for seed in (0, 1, 2)]
    for key, value in drawn[0].items():
        if value.is_floating_point():
            assert not torch.equal(value, drawn[1][key])
            assert not torch.equal(drawn[1][key], drawn[2][key])


def test_float32_but_for_the_counters() -> None:
    for key, value in seeded_state_dict(SPEC, seed=0).items():
        expected = torch.int64 if key.endswith("num_batches_tracked") else torch.float32
        assert value.dtype == expected

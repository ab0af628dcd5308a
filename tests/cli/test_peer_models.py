"""The models that ours are compared with go the plain road only, and nothing about them is changed."""

from __future__ import annotations

import pytest

from evit_deploy.cli.peer_models import refuse_changes, refuse_peers
from evit_deploy.errors import Exit, UserError

UNCHANGED = {"upsample": "bicubic", "attention": "linear"}


def test_ours_pass() -> None:
    refuse_peers(("b1", "seg-b0-cityscapes"))
    refuse_changes(("b1",), {"upsample": "bilinear", "attention": "softmax"})
    refuse_changes(("segformer-b0",), UNCHANGED)


def test_the_road_of_rewrites_refuses_theirs() -> None:
    with pytest.raises(UserError, match="evit-export plain segformer-b0") as caught:
        refuse_peers(("b1", "SegFormer_B0"))
    assert caught.value.code == Exit.USAGE


@pytest.mark.parametrize("change", [{"upsample": "bilinear"}, {"attention": "softmax"}])
def test_changes_are_for_ours(change: dict[str, str]) -> None:
    with pytest.raises(UserError, match="leave it out") as caught:
        refuse_changes(("segformer-b0",), {**UNCHANGED, **change})
    assert caught.value.code == Exit.USAGE

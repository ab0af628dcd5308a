"""What `evit-export` does not do with the models that ours are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evit_deploy.errors import Exit, UserError

# Options of `evit-export plain` that change our models, and what leaves a model as it is.
_CHANGES = {"upsample": "bicubic", "attention": "linear"}


def refuse_peers(models: tuple[str, ...]) -> None:
    """Nothing of theirs is rewritten, so only the plain road is theirs.

    Raises:
        UserError: one of the names is theirs, or nobody's.
    """
    for name in models:
        if peer := _peer(name):
            raise UserError(
                f"{peer} is a model to compare with, of which nothing is rewritten: evit-export plain {peer}",
                Exit.USAGE,
            )


def refuse_changes(models: tuple[str, ...], settings: Mapping[str, Any]) -> None:
    """What changes our models would leave theirs as they are, under another name.

    Raises:
        UserError: a change is asked for, of a model that is theirs.
    """
    for name in models:
        for option, unchanged in _CHANGES.items():
            if settings[option] != unchanged and (peer := _peer(name)):
                raise UserError(
                    f"--{option} {settings[option]} is for our own models, {peer} is not: leave it out",
                    Exit.USAGE,
                )


def _peer(name: str) -> str | None:
    from evit_deploy.models.zoo import PEERS, find_model

    found = find_model(name)
    return found.name if found in PEERS else None

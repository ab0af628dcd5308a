"""The choice of weights: "auto", "pretrained", "random" or a file -> a state dict and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from evit_deploy.artifact import Weights, sha256_of
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.models.checkpoints import load_checkpoint
from evit_deploy.models.pretrained import fetch, hub_file_of
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import ModelSpec, num_classes_of

AUTO = "auto"
PRETRAINED = "pretrained"
RANDOM = "random"
ADVICE = "pass --weights PATH or --weights random"


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """A complete state dict of a model. `warning` is one line for the user, `None` where all is as asked.

    `num_classes` is `None` for a model without classes.
    """

    state_dict: dict[str, Tensor]
    provenance: Weights
    num_classes: int | None
    warning: str | None = None


def resolve_weights(
    spec: ModelSpec,
    choice: str | Path,
    *,
    seed: int = 0,
    resolution: tuple[int, int] | None = None,
    num_classes: int | None = None,
) -> LoadedWeights:
    """The weights that `choice` asks for.

    Args:
        choice: "pretrained" (cached or downloaded), "random" (seeded), "auto" (pretrained where they can be
            had, else random and a warning), or a checkpoint's path. A `Path` is always a file.
        seed: of random weights.
        resolution: (height, width); some models have a checkpoint for each of several.
        num_classes: `None` for the checkpoint's own count; of random weights, for the published one.

    Raises:
        UserError: the checkpoint cannot be used, or has another number of classes.
        SetupError: "pretrained" can neither be found nor downloaded.
    """
    if choice == RANDOM:
        return _random(spec, seed, num_classes)
    if choice == PRETRAINED:
        return _pretrained(spec, resolution, num_classes)
    if choice == AUTO:
        return _automatic(spec, seed, resolution, num_classes)
    path = Path(choice)
    return _from_file(path, spec, num_classes, source="file", origin=path.name)


def _random(spec: ModelSpec, seed: int, num_classes: int | None, warning: str | None = None) -> LoadedWeights:
    classes = spec.num_classes if num_classes is None else num_classes
    state_dict = seeded_state_dict(spec, seed=seed, num_classes=classes)
    return LoadedWeights(state_dict, Weights(source=RANDOM, seed=seed), classes, warning)


def _pretrained(
    spec: ModelSpec, resolution: tuple[int, int] | None, num_classes: int | None
) -> LoadedWeights:
    try:
        file = hub_file_of(spec, resolution)
        path = fetch(file)
    except SetupError as error:
        raise SetupError(f"{error}; {ADVICE}", error.code) from error
    return _from_file(path, spec, num_classes, source=PRETRAINED, origin=str(file))


def _automatic(
    spec: ModelSpec, seed: int, resolution: tuple[int, int] | None, num_classes: int | None
) -> LoadedWeights:
    if num_classes not in (None, spec.num_classes):
        reason = f"the pretrained weights have {spec.num_classes} classes, asked for were {num_classes}"
        return _random(spec, seed, num_classes, _random_warning(spec, seed, reason))
    try:
        return _pretrained(spec, resolution, num_classes)
    except SetupError as error:
        if error.code != Exit.WEIGHTS_UNAVAILABLE:
            raise
        return _random(spec, seed, num_classes, _random_warning(spec, seed, str(error)))


def _random_warning(spec: ModelSpec, seed: int, reason: str) -> str:
    return f"{spec.name} has random weights (seed {seed}), so its outputs mean nothing: {reason}"


def _from_file(
    path: Path, spec: ModelSpec, num_classes: int | None, *, source: str, origin: str
) -> LoadedWeights:
    state_dict = load_checkpoint(path, spec)
    found = num_classes_of(state_dict, spec)
    if num_classes not in (None, found):
        raise UserError(
            f"checkpoint '{path}' has {found} classes, asked for were {num_classes}; leave the count out to "
            "take the checkpoint's",
            Exit.CHECKPOINT_MISMATCH,
        )
    return LoadedWeights(state_dict, Weights(source=source, origin=origin, sha256=sha256_of(path)), found)

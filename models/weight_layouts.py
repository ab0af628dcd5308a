"""A checkpoint of one of the models -> a file with the same tensors, float32, in one of three layouts.

    published   the authors' names; a .pt has them under "state_dict", as the authors' files do
    timm        timm's names, flat, as timm loads them; it has EfficientViT's classification models only
    own         the authors' names in a .safetensors whose metadata say which model it is, so that nobody
                has to name it again

A checkpoint may come in any layout that `checkpoints.py` reads, these three among them. Nothing but names and
wrapping changes: from one layout to another and back, every float32 bit is the same.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from evit_deploy.artifact import EMBEDDED_KEY, sha256_of
from evit_deploy.errors import Exit, UserError
from evit_deploy.models.checkpoints import read_tensors
from evit_deploy.models.state_dicts import fitting_models
from evit_deploy.models.timm_names import to_timm_names
from evit_deploy.models.zoo import ModelSpec, find_model, num_classes_of

PUBLISHED, TIMM, OWN = "published", "timm", "own"
SAFETENSORS = ".safetensors"
# The framework that the tensors are of, as in the published files of others. Never beside a second entry:
# safetensors writes several in an order that changes from run to run.
_FRAMEWORK = {"format": "pt"}

Names = Callable[[Mapping[str, Tensor], ModelSpec], dict[str, Tensor]]


def _as_published(tensors: Mapping[str, Tensor], _spec: ModelSpec) -> dict[str, Tensor]:
    return dict(tensors)


@dataclass(frozen=True, slots=True)
class Layout:
    """`names` of published names makes its own; `container` is the key that a .pt has the tensors under."""

    names: Names
    endings: tuple[str, ...] = (".pt", ".pth", SAFETENSORS)
    container: str | None = None


LAYOUTS: Mapping[str, Layout] = {
    PUBLISHED: Layout(_as_published, container="state_dict"),
    TIMM: Layout(to_timm_names),
    OWN: Layout(_as_published, endings=(SAFETENSORS,)),
}


def model_of_checkpoint(path: Path) -> ModelSpec:
    """The model that a checkpoint is of: what its metadata say, else the only one that it fits.

    Raises:
        UserError: unreadable, or it fits no model, or several.
    """
    noted = _noted_model(path)
    if noted is not None:
        return find_model(noted)
    fits = fitting_models(read_tensors(path))
    if len(fits) == 1:
        return find_model(fits[0])
    what = f"fits {' and '.join(fits)}" if fits else "fits none of the known models"
    raise UserError(f"checkpoint '{path}' {what}: name its model with --model", Exit.CHECKPOINT_MISMATCH)


def check_output(layout: str, output: Path) -> None:
    """Refuse an ending that the layout is not written with.

    Raises:
        UserError: it is such a one.
    """
    endings = LAYOUTS[layout].endings
    if output.suffix not in endings:
        raise UserError(
            f"'{output}': the layout '{layout}' is written to files that end in {' or '.join(endings)}; got "
            f"{output.suffix or 'no ending'}",
            Exit.USAGE,
        )


def weights_file(
    tensors: Mapping[str, Tensor], spec: ModelSpec, layout: str, ending: str, source: Path
) -> bytes:
    """The content of a file of these weights.

    Args:
        tensors: a complete state dict of `spec` under the published names (`load_checkpoint`).
        layout: a key of `LAYOUTS`.
        ending: one of the layout's.
        source: the checkpoint that they come from, noted in the layout "own".

    Raises:
        UserError: the layout has no names for such a model.
    """
    chosen = LAYOUTS[layout]
    named = {key: tensor.contiguous() for key, tensor in chosen.names(tensors, spec).items()}
    if ending == SAFETENSORS:
        from safetensors.torch import save

        return save(named, _note(tensors, spec, source) if layout == OWN else _FRAMEWORK)
    buffer = io.BytesIO()
    torch.save(named if chosen.container is None else {chosen.container: named}, buffer)
    return buffer.getvalue()


def _note(tensors: Mapping[str, Tensor], spec: ModelSpec, source: Path) -> dict[str, str]:
    note = {
        "model": spec.name,
        "num_classes": num_classes_of(tensors, spec),
        "origin": source.name,
        "sha256": sha256_of(source),
    }
    return {EMBEDDED_KEY: json.dumps(note, sort_keys=True)}


def _noted_model(path: Path) -> str | None:
    """The model that a file of the layout "own" is of; `None` of any other."""
    if path.suffix.lower() != SAFETENSORS or not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            note = json.loads((file.metadata() or {}).get(EMBEDDED_KEY, "{}"))
    except (SafetensorError, OSError, ValueError):
        return None  # damaged: whoever reads the tensors says so
    name = note.get("model") if isinstance(note, dict) else None
    return name if isinstance(name, str) else None

"""Reading a checkpoint file, .pt, .pth or .safetensors, without running anything that is in it."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.pickle_names import ZIP_ERRORS, foreign_names

ADVICE = "download or copy it again, or pass another file"


def read_checkpoint(path: Path) -> object:
    """What the file holds, tensors on the CPU: usually a mapping, of names to tensors or to more mappings.

    Raises:
        UserError: it is missing, no checkpoint, damaged (CHECKPOINT_UNREADABLE), or its pickle refers to
            more than tensors, so that loading it could run code (CHECKPOINT_UNSAFE; nothing was run).
    """
    _check_is_file(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        got = f"the ending '{path.suffix}'" if path.suffix else "no ending"
        raise _unreadable(path, f"got {got}, expected one of {', '.join(READERS)}")
    return reader(path)


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise _unreadable(path, "it is a folder, expected a file")
    if not path.is_file():
        raise _unreadable(path, "there is no such file")
    if not os.access(path, os.R_OK):
        raise _unreadable(path, "no permission to read it")


def _read_torch(path: Path) -> object:
    if _is_torchscript(path):
        raise _unreadable(path, "a TorchScript archive; save the model's state_dict() and pass that")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        # Damaged bytes make an unpickler raise nearly anything; whatever it is, the file cannot be read.
        except Exception as error:
            if names := foreign_names(path):
                raise _unsafe(path, names) from error
            raise _unreadable(path, f"not a PyTorch checkpoint, or damaged; {ADVICE}") from error


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _unreadable(path, f"not a safetensors file, or damaged ({error}); {ADVICE}") from error


READERS: Mapping[str, Callable[[Path], object]] = {
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".safetensors": _read_safetensors,
}


def _is_torchscript(path: Path) -> bool:
    """PyTorch's own rule: the archive has a record `constants.pkl`, which plain checkpoints lack."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except ZIP_ERRORS:
        return False


def _unreadable(path: Path, problem: str) -> UserError:
    return UserError(f"cannot read checkpoint '{path}': {problem}", Exit.CHECKPOINT_UNREADABLE)


def _unsafe(path: Path, names: tuple[str, ...]) -> UserError:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return UserError(
        f"checkpoint '{path}' was refused and nothing in it was run: besides tensors it holds Python objects "
        f"({shown}), and loading those can run any code; save only the model's state_dict(), "
        "or use .safetensors",
        Exit.CHECKPOINT_UNSAFE,
    )

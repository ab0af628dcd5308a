"""An artifact as its files describe it, before any runtime has opened it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.artifact import Manifest, Preprocessing, read_manifest, sha256_of
from evit_deploy.errors import Exit, UserError


@dataclass(frozen=True, slots=True)
class Described:
    """A graph file, its manifest, and the (height, width) of its one input."""

    path: Path
    sha256: str
    manifest: Manifest
    size: tuple[int, int]

    def identity(self, device: str, runtime: Mapping[str, str]) -> dict[str, Any]:
        """What must be the same for a later run to give the same, as it comes back from JSON.

        Args:
            device: the name of where it runs.
            runtime: "name" and "version" of what runs it there.
        """
        manifest = self.manifest.as_dict()
        return {
            "kind": "artifact",
            "file": self.path.name,
            "sha256": self.sha256,
            "model": self.manifest.model,
            "dataset": self.manifest.dataset,
            "precision": self.manifest.precision,
            "weights": manifest["weights"],
            "preprocessing": _plain(manifest["preprocessing"]),
            "device": device,
            "runtime": dict(runtime),
        }


def described(path: Path) -> Described:
    """Read what lies beside a graph file.

    Raises:
        UserError: no such file, no manifest, one of another file, or one that asks for what cannot be done.
    """
    sha256, manifest = _read(path)
    return Described(path, sha256, manifest, input_size(path, manifest))


def input_size(path: Path, manifest: Manifest) -> tuple[int, int]:
    """(height, width) of an artifact's one input.

    Raises:
        UserError: it has several, it is no image, or its size is open.
    """
    if len(manifest.inputs) == 1 and len(manifest.outputs) == 1:
        image = manifest.inputs[0]
        sides = [image.shape[image.layout.index(axis)] for axis in "HW" if axis in image.layout]
        if len(sides) == 2 and min(sides) > 0:
            return sides[0], sides[1]
    raise UserError(
        f"{path}: cannot be evaluated: expected one input of a fixed size, an image, and one output; "
        "export the model again",
        Exit.ARTIFACT_UNREADABLE,
    )


def _read(path: Path) -> tuple[str, Manifest]:
    """sha256 and manifest of an artifact."""
    if not path.is_file():
        raise UserError(f"{path}: no such file", Exit.ARTIFACT_MISSING)
    manifest, sha256 = read_manifest(path), sha256_of(path)
    if manifest is None:
        raise UserError(
            f"{path}: has no manifest beside it ('{path.name}.json'), so its preprocessing and classes are "
            "unknown; export the model again, or copy the manifest, too",
            Exit.ARTIFACT_UNREADABLE,
        )
    if manifest.graph.sha256 != sha256:
        raise UserError(
            f"{path}: not the file that its manifest describes (sha256 {sha256[:12]}, expected "
            f"{manifest.graph.sha256[:12]}); export the model again",
            Exit.ARTIFACT_UNREADABLE,
        )
    _refuse_other_preprocessing(path, manifest.preprocessing)
    return sha256, manifest


def _refuse_other_preprocessing(path: Path, preprocessing: Preprocessing) -> None:
    found = (preprocessing.interpolation, preprocessing.channel_order)
    if found != ("bicubic", "RGB"):
        raise UserError(
            f"{path}: its manifest asks for {found[0]} resizing and {found[1]} channels; this version "
            "evaluates bicubic and RGB only",
            Exit.ARTIFACT_UNREADABLE,
        )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

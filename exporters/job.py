"""What is to be exported, and where to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evit_deploy.artifact import FORMAT_SUFFIXES
from evit_deploy.exporters.formats import FORMATS, Format
from evit_deploy.exporters.options import ExportOptions, artifact_name
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.exporters.rewrites import Rewrite
from evit_deploy.models.weights import LoadedWeights
from evit_deploy.models.zoo import ModelSpec

Step = Callable[[str], None]  # is told what begins now


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One export. `options` are settled (`ExportOptions.settled`)."""

    spec: ModelSpec
    options: ExportOptions
    weights: LoadedWeights
    output: Path
    keep_failed: bool = False
    keep_samples: bool = False
    pipeline: tuple[Rewrite, ...] | None = None  # the format's own, with formulations chosen for the target
    tables: Path | None = None  # of the user's own costs, looked at before the shipped ones
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)
    calibration: Calibration | None = None  # for precisions that take ranges from images
    label: str = ""  # at the end of the artifact's name, for exports that are not ours

    @property
    def name(self) -> str:
        """The artifact's file name without its ending."""
        name = artifact_name(self.spec, self.options, weights_source=self.weights.provenance.source)
        return f"{name}-{self.label}" if self.label else name

    @property
    def path(self) -> Path:
        """Where the graph will be."""
        return self.output / (self.name + FORMAT_SUFFIXES[self.options.format])

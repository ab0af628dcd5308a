"""What one call of `evit-eval` is asked for: what its options say or, with --resume, what a file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import click
from click.core import ParameterSource

from evit_deploy.artifact import FORMAT_SUFFIXES
from evit_deploy.errors import UserError

DEFAULT_WEIGHTS = "pretrained"
DEFAULT_DEVICE = "local"


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """Everything that decides the figures; paths as they were given. Kept in the records' header.

    `output` is where the result goes. `options` are those of the runtimes that were given. `threads` and
    `cores` are as the option says or, where it was not given, the device's entry in evit.toml.
    """

    data: str
    output: str
    artifacts: tuple[str, ...] = ()
    model: str | None = None
    weights: str = DEFAULT_WEIGHTS
    resolution: tuple[int, int] | None = None
    layout: str | None = None
    split: str | None = None
    classes: str | None = None
    against: str | None = None
    against_weights: str = DEFAULT_WEIGHTS
    limit: int | None = None
    seed: int = 0
    device: str = DEFAULT_DEVICE
    threads: int = 1
    cores: str = "auto"
    interpreter: str = "auto"
    options: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it comes back from JSON."""
        values = asdict(self)
        values["artifacts"] = list(self.artifacts)
        values["resolution"] = None if self.resolution is None else list(self.resolution)
        return values


def request_from_dict(data: Mapping[str, Any]) -> EvalRequest:
    """Rebuild a request.

    Raises:
        KeyError, TypeError: it is none.
    """
    resolution = data["resolution"]
    parts = {
        "artifacts": tuple(data["artifacts"]),
        "resolution": None if resolution is None else (int(resolution[0]), int(resolution[1])),
    }
    return EvalRequest(**{**data, **parts})


def is_artifact(text: str) -> bool:
    """Whether a word names a graph file rather than a model."""
    return text.endswith(tuple(FORMAT_SUFFIXES.values()))


def graphs_of(request: EvalRequest) -> tuple[str, ...]:
    """Every graph file that a request names, the one of --against last."""
    against = request.against
    return (*request.artifacts, *([against] if against is not None and is_artifact(against) else []))


def refuse_senseless(request: EvalRequest) -> None:
    """Options that say nothing where they stand.

    Raises:
        UserError: one of them does.
    """
    if not request.artifacts and request.model is None:
        raise UserError("nothing to evaluate: name an artifact, or a reference with --model")
    twice = sorted({path for path in request.artifacts if request.artifacts.count(path) > 1})
    if twice:
        raise UserError(f"{twice[0]}: named twice; name it once")
    if request.device != DEFAULT_DEVICE and not graphs_of(request):
        raise UserError(
            f"--device {request.device}: artifacts run there, and none is named; models in PyTorch run here"
        )
    if request.model is None and request.weights != DEFAULT_WEIGHTS:
        raise UserError("--weights: are those of --model, which is not given; an artifact has its own")
    named = request.against is not None and not is_artifact(request.against)
    if not named and request.against_weights != DEFAULT_WEIGHTS:
        raise UserError(
            "--against-weights: are those of a model that --against names; an artifact has its own"
        )
    if request.resolution is not None and request.model is None and not named:
        raise UserError(
            "--resolution: is for --model, or a model that --against names; an artifact has its own"
        )


def refuse_beside_resume(context: click.Context, allowed: tuple[str, ...]) -> None:
    """Only options that decide nothing may stand beside --resume.

    Raises:
        UserError: another one does.
    """
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in allowed and context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            given = parameter.opts[-1] if isinstance(parameter, click.Option) else "ARTIFACT"
            raise UserError(f"--resume: the file says what to evaluate, and how; leave out {given}")

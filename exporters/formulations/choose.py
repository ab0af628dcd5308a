"""Which formulation each place of a model gets, and the rewrite that puts them there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from evit_deploy.exporters.formulations.costs import CostTable
from evit_deploy.exporters.formulations.kinds import KEEPS_CHILDREN, KINDS, Kind
from evit_deploy.exporters.rewrites import Rewrite
from evit_deploy.exporters.rewrites.linear_attention import NAME as ATTENTION
from evit_deploy.exporters.rewrites.surgery import InputShapes, put_at

NAME = "chosen-formulations"


@dataclass(frozen=True, slots=True)
class Place:
    """A module that can be written in several ways, on maps of (channels, height, width)."""

    path: str
    kind: Kind
    module: nn.Module
    channels: int
    height: int
    width: int

    @property
    def key(self) -> str:
        """What its cost is found under."""
        return self.kind.place(self.module, self.height, self.width)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was taken, as the manifest says it; `ground` as `CostTable.cheapest` gives it."""

    path: str
    place: str
    formulation: str
    ground: str


def places(model: nn.Module, input_shapes: InputShapes, format: str) -> Iterator[Place]:
    """Every place of `model` that has formulations for this format; none where norms are not folded."""
    for path, module in model.named_modules():
        for kind in KINDS:
            if format in kind.formulations and _fits(kind, module):
                channels, height, width = input_shapes[path + kind.input_at][-3:]
                yield Place(path, kind, module, channels, height, width)


def _fits(kind: Kind, module: nn.Module) -> bool:
    return type(module) is kind.module and kind.applies(module) and not _has_norms(module)


def _has_norms(module: nn.Module) -> bool:
    return any(isinstance(part, nn.BatchNorm2d) for part in module.modules())


class Chooser:
    """The rewrite that replaces every place by its cheapest formulation.

    Args:
        format: of the graph.
        table: costs on the target; without, every place gets the default.
        without: formulations that are out of the question.
    """

    def __init__(self, format: str, table: CostTable | None, without: Collection[str] = ()) -> None:
        self._format, self._table, self._without = format, table, without
        self.choices: list[Choice] = []

    def rewrite(self, model: nn.Module, input_shapes: InputShapes) -> int:
        """Replace what can be replaced, norms folded before; returns how many places there were."""
        found = list(places(model, input_shapes, self._format))
        for place in found:
            builders = place.kind.formulations[self._format]
            name, ground = self._cheapest(place, tuple(n for n in builders if n not in self._without))
            self.choices.append(Choice(place.path, place.key, name, ground))
            put_at(model, place.path, builders[name](place.module, place.height, place.width))
        return len(found)

    def as_dict(self) -> dict[str, dict[str, str]]:
        """What was chosen, by path, for the manifest."""
        return {
            c.path: {"place": c.place, "formulation": c.formulation, "ground": c.ground} for c in self.choices
        }

    def _cheapest(self, place: Place, names: tuple[str, ...]) -> tuple[str, str]:
        return self._table.cheapest(place.key, names) if self._table else (names[0], "no table")


def replaced_whole(formulations: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Of a manifest's `formulations`, the paths of modules whose parts are not in the graph."""
    return [path for path, chosen in formulations.items() if chosen["formulation"] != KEEPS_CHILDREN]


def with_choices(pipeline: Sequence[Rewrite], chooser: Chooser) -> tuple[Rewrite, ...]:
    """`pipeline` with the choice in front of the attention's rewrite, which takes what is left.

    Formulations are built upon folded norms.
    """
    chosen = Rewrite(NAME, chooser.rewrite)
    return tuple(r for step in pipeline for r in ((chosen, step) if step.name == ATTENTION else (step,)))

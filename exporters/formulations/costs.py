"""What formulations cost on a core: tables of exact instruction counts, shipped and the user's own.

tables/onnx-cortex-a76.json             shipped
<cache>/costs/onnx-cortex-a76.json      added by `evit-export --tune`, looked at first

{"runtime": ..., "unit": "instructions", "costs": {place: {formulation: {"amount", "memory", "constants"}}}}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.errors import Exit, UserError

TABLES = Path(__file__).parent / "tables"
INSTRUCTIONS, NANOSECONDS = "instructions", "ns"
# A Cortex-A76-class core takes 0.093 ns an instruction (docs/predict.md) and reads 10 GB/s from memory: a
# byte of constants, which are read once in an inference, takes the time of one instruction.
INSTRUCTIONS_PER_CONSTANT_BYTE = 1.0
# What another formulation than the default has to save: anything where counts are exact, else beyond noise.
WORTH_IT = {INSTRUCTIONS: 0.0, NANOSECONDS: 0.03}
# How far, in channels or in height or width, a measured place may be from the one that is asked for.
NEAR = 2.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: `amount` in the table's unit, loads and stores (emulated only), bytes of constants."""

    amount: float
    memory: int = 0
    constants: int = 0

    def total(self, unit: str) -> float:
        """What formulations are compared by. Constants are in a latency already."""
        per_byte = INSTRUCTIONS_PER_CONSTANT_BYTE if unit == INSTRUCTIONS else 0.0
        return self.amount + per_byte * self.constants


Costs = dict[str, dict[str, Cost]]  # place -> formulation -> cost


@dataclass(frozen=True, slots=True)
class CostTable:
    """For one format on one core."""

    runtime: str
    unit: str
    costs: Costs

    def cheapest(self, place: str, names: tuple[str, ...]) -> tuple[str, str]:
        """Which of the formulations `names` (the default first) to take at `place`, and on what ground.

        The ground is "measured", "as PLACE" for the nearest measured one, or "not measured".
        """
        nearest = self._nearest(place)
        if nearest is None:
            return names[0], "not measured"
        costs = {n: c.total(self.unit) for n, c in self.costs[nearest].items() if n in names}
        best = min(costs, key=lambda name: (costs[name], names.index(name)), default=names[0])
        if names[0] in costs and costs[best] >= (1 - WORTH_IT[self.unit]) * costs[names[0]]:
            best = names[0]
        return best, "measured" if nearest == place else f"as {nearest}"

    def _nearest(self, place: str) -> str | None:
        if place in self.costs:
            return place
        sort, sizes = parsed(place)
        near = []
        for known in self.costs:
            its_sort, its_sizes = parsed(known)
            if its_sort == sort and len(its_sizes) == len(sizes):
                ratios = [abs(math.log(a / b)) for a, b in zip(sizes, its_sizes, strict=True)]
                if max(ratios) <= math.log(NEAR):
                    near.append((sum(ratios), known))
        return min(near)[1] if near else None


def parsed(place: str) -> tuple[str, list[int]]:
    """`mbconv 3x3/2:gelu 16-64-32 112x112` -> (`mbconv 3x3/2`, [16, 64, 32, 112, 112]).

    Without the activation: it is in every formulation of a place, so it moves all costs and no choice.
    """
    kind, attributes, *sizes = place.split(" ")
    sort = f"{kind} {attributes.partition(':')[0]}"
    return sort, [int(number) for number in re.findall(r"\d+", " ".join(sizes))]


def shipped_targets(format: str) -> tuple[str, ...]:
    """The cores that there is a shipped table for."""
    return tuple(sorted(p.stem.removeprefix(f"{format}-") for p in TABLES.glob(f"{format}-*.json")))


def load_table(format: str, target: str, own: Path | None = None) -> CostTable | None:
    """The shipped table of a target, with the user's own costs in front; `None` where there is neither.

    Args:
        format: of the graphs.
        target: a core, or the user's name for a device.
        own: the folder of the user's tables.

    Raises:
        UserError: a table cannot be read, or the user's own is in another unit than the shipped one.
    """
    paths = [TABLES / table_name(format, target), *([own / table_name(format, target)] if own else [])]
    tables = [read_table(path) for path in paths if path.is_file()]
    if not tables:
        return None
    if len({table.unit for table in tables}) > 1:
        raise UserError(
            f"{paths[-1]}: costs in {tables[-1].unit}, expected {tables[0].unit} as in the shipped table of "
            f"{target}; tune under another --target",
            Exit.USAGE,
        )
    merged: Costs = {}
    for table in tables:
        for place, costs in table.costs.items():
            merged[place] = {**merged.get(place, {}), **costs}
    return CostTable(tables[-1].runtime, tables[0].unit, merged)


def table_name(format: str, target: str) -> str:
    """File name of a table."""
    return f"{format}-{target}.json"


def read_table(path: Path) -> CostTable:
    """A table from its file.

    Raises:
        UserError: it is none.
    """
    try:
        data: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        costs = {
            place: {name: Cost(**cost) for name, cost in by_name.items()}
            for place, by_name in data["costs"].items()
        }
        return CostTable(data["runtime"], data["unit"], costs)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a table of costs ({error}); remove it and tune again") from error


def write_table(path: Path, table: CostTable) -> None:
    """Write a table, places in order.

    Raises:
        UserError: the file cannot be written.
    """
    costs = {
        place: {name: asdict(cost) for name, cost in by_name.items()}
        for place, by_name in sorted(table.costs.items())
    }
    write_atomically(path, to_json({"runtime": table.runtime, "unit": table.unit, "costs": costs}))

"""What each distinct operator of a graph costs, alone, beside its ideal and its share of the model.

    python -m evit_deploy.benchmarks.operator_costs ARTIFACT [--device NAME] [--over 3] [--json]

Operators are run by `evit-bench profile`, which keeps their counts by operator, core and runtime version: as
exact instructions under an emulated core, as nanoseconds on a real one. The sum over all operators is printed
beside a count of the whole graph, which nothing but running it can give.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from evit_deploy.benchmarks.latency_fit import MEMORY
from evit_deploy.benchmarks.per_operator.result import INSTRUCTIONS, Cost, Profile, profile_from_dict


@dataclass(frozen=True)
class Row:
    """Operators of one kind and shape. `amount`, `memory` and `ideal` are of one of them."""

    kind: str
    shapes: str
    count: int
    amount: float
    memory: int  # loads and stores; 0 where nothing is counted
    ideal: float | None
    share: float

    @property
    def ratio(self) -> float | None:
        """How many times its ideal."""
        return self.amount / self.ideal if self.ideal else None


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("-d", "--device", default="qemu:cortex-a76", show_default=True)
@click.option("--over", type=float, default=0.0, help="Only operators above so many times their ideal.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def main(artifact: Path, device: str, over: float, as_json: bool) -> None:
    """Run every distinct operator of ARTIFACT alone, and print what it costs."""
    profile = _profile(artifact, device)
    rows = [row for row in rows_of(profile) if not over or (row.ratio or 0) > over]
    if as_json:
        click.echo(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=2))
        return
    for line in lines_of(rows, profile):
        click.echo(line)


def rows_of(profile: Profile) -> list[Row]:
    """Every distinct operator, the largest share first."""
    alike: dict[tuple[str, str], list[Cost]] = {}
    for cost in profile.costs:
        alike.setdefault((cost.operator.kind, cost.operator.shapes), []).append(cost)
    rows = [_row(costs, profile) for costs in alike.values()]
    return sorted(rows, key=lambda row: -row.share)


def _row(costs: list[Cost], profile: Profile) -> Row:
    first, total = costs[0], sum(cost.amount for cost in costs)
    return Row(
        kind=first.operator.kind,
        shapes=first.operator.shapes,
        count=len(costs),
        amount=total / len(costs),
        memory=sum(first.classes.get(name, 0) for name in MEMORY),
        ideal=first.operator.ideal if profile.unit == INSTRUCTIONS else None,
        share=total / profile.whole,
    )


def lines_of(rows: list[Row], profile: Profile) -> list[str]:
    """The table, and how the sum and the whole fit together. Instructions in millions, or milliseconds."""
    unit = "M instr" if profile.unit == INSTRUCTIONS else "ms"
    lines = [
        f"{profile.artifact} on {profile.device}",
        f"{'n':>3} {unit:>9} {'memory M':>9} {'x ideal':>8}   share",
    ]
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.1f}"
        figures = (
            f"{row.count:3d} {row.amount / 1e6:9.3f} {row.memory / 1e6:9.3f} {ratio:>8} {row.share:7.2%}"
        )
        lines.append(f"{figures}   {row.kind}: {row.shapes}")
    difference = (profile.total - profile.whole) / profile.whole
    sums = f"sum of all operators {profile.total / 1e6:.3f}, whole graph {profile.whole / 1e6:.3f}"
    return [*lines, f"{sums}: {difference:+.2%}"]


def _profile(artifact: Path, device: str) -> Profile:
    command = [
        sys.executable,
        "-m",
        "evit_deploy.cli.bench",
        "profile",
        str(artifact),
        "-d",
        device,
        "--json",
    ]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        sys.exit(finished.returncode)
    return profile_from_dict(json.loads(finished.stdout))


if __name__ == "__main__":
    main()

"""How far the verdicts of `evit-bench compare` and `gate` can be trusted on a device.

    python -m evit_deploy.benchmarks.trust B0.tflite --device local --unchanged 40 --slower 3,5,10 --runs 20

Each comparison is added to the file of --output as it ends; what is in there already is not made again, so an
interrupted experiment goes on.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from evit_deploy.benchmarks.checks import SPEED_WORDS
from evit_deploy.benchmarks.results import LATENCY
from evit_deploy.benchmarks.trust.experiment import SHOWN, Experiment, Tally, Trial, tally
from evit_deploy.devices import resolve
from evit_deploy.errors import UserError


@click.command(help=__doc__)
@click.argument("graph", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-d", "--device", "name", default="local", show_default=True)
@click.option("--unchanged", default=40, show_default=True, help="Comparisons of the model with itself.")
@click.option("--slower", default="3,5,10", show_default=True, help="Slowdowns in percent.")
@click.option("--runs", default=20, show_default=True, help="Comparisons for each slowdown.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/trust.jsonl"))
def main(graph: Path, name: str, unchanged: int, slower: str, runs: int, output: Path) -> None:
    """Make the comparisons and print how they ended."""
    device = resolve(name)
    if device.figure != LATENCY:
        raise UserError(f"--device {name}: counts repeat; noise is a matter of real devices")
    wanted = {0.0: unchanged, **{float(share) / 100: runs for share in slower.split(",") if share}}
    trials = _read(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evit-trust-") as folder:
        experiment = Experiment(graph, device, Path(folder), lambda step: click.echo(step, err=True))
        for slowdown, count in wanted.items():
            done = {trial.seed for trial in trials if trial.slowdown == slowdown}
            missing = [seed for seed in range(count) if seed not in done]
            for trial in experiment.trials(slowdown, missing) if missing else ():
                trials.append(trial)
                with output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(trial.as_dict()) + "\n")
    click.echo(f"{graph.name} on {device.label}\n{table(tally(trials))}")


def table(tallies: list[Tally]) -> str:
    """In Markdown, as it stands in the docs."""
    words = [SPEED_WORDS[status] for status in SHOWN]
    head = ["slower by", "runs", *words, "median estimate", "median pairs", "detectable (median)"]
    rows = [
        [
            f"{t.slowdown:.0%}",
            str(t.runs),
            *(str(t.verdicts[status.value]) for status in SHOWN),
            f"{t.estimate:+.1%}",
            f"{t.pairs:.0f}",
            f"{t.detectable:.1%}",
        ]
        for t in tallies
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(path: Path) -> list[Trial]:
    if not path.exists():
        return []
    return [Trial(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()

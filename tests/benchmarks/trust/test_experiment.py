"""The experiment on the verdicts: its bookkeeping, and one small run of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from evit_deploy.benchmarks.trust.__main__ import table
from evit_deploy.benchmarks.trust.experiment import Trial, tally


def trial(slowdown: float, seed: int, status: str, ratio: float = 1.0) -> Trial:
    return Trial(slowdown, seed, status, 10, ratio, ratio - 0.01, ratio + 0.01, 0.04)


def test_trials_are_counted_by_slowdown_and_verdict() -> None:
    trials = [trial(0.05, n, "worse" if n else "inconclusive", 1.04 + n / 100) for n in range(3)]
    unchanged, slower = tally([*trials, trial(0.0, 0, "pass")])
    assert (unchanged.runs, unchanged.verdicts["pass"]) == (1, 1)
    assert (slower.verdicts["worse"], slower.verdicts["inconclusive"]) == (2, 1)
    assert round(slower.estimate, 6) == 0.05
    assert table([slower]).splitlines()[-1] == "| 5% | 3 | 0 | 0 | 1 | 2 | +5.0% | 10 | 4.0% |"


def test_an_interrupted_experiment_goes_on(tiny_tflite: Path, tmp_path: Path) -> None:
    output = tmp_path / "trust.jsonl"
    output.write_text(json.dumps(trial(0.0, 0, "pass").as_dict()) + "\n")
    command = [sys.executable, "-m", "evit_deploy.benchmarks.trust", tiny_tflite, "-o", output]
    done = subprocess.run(
        [*command, "--unchanged", "2", "--slower", ""],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert "comparison 2" in done.stderr and "comparison 1" not in done.stderr
    assert [json.loads(line)["seed"] for line in output.read_text().splitlines()] == [0, 1]
    assert "| 0% | 2 |" in done.stdout

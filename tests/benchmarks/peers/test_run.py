"""Which models are counted on the emulated core."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from evit_deploy.benchmarks.peers import run
from evit_deploy.benchmarks.peers.measure import PeersPlan
from evit_deploy.benchmarks.peers.run import Wanted, compare_peers

SMALL, LARGE = Wanted("small", (32, 32)), Wanted("large", (64, 64))
MACS = {"small": 0.5e9, "large": 6.2e9}


@pytest.mark.parametrize(
    ("limit", "counted"),
    [(math.inf, ["small", "large"]), (2e9, ["small"]), (6.2e9, ["small", "large"]), (1e6, [])],
)
def test_larger_models_have_wall_time_only(
    limit: float, counted: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: dict[str, bool] = {}

    def exported(model: str, *_: object) -> Sequence[object]:
        manifest = SimpleNamespace(model=model, graph=SimpleNamespace(macs=MACS[model]))
        return [SimpleNamespace(manifest=manifest)]

    def measure(found: str, *_: object, counted: bool, wait: bool) -> list[object]:
        measured[found] = counted
        return []

    monkeypatch.setattr(run, "export_graphs", exported)
    monkeypatch.setattr(run, "contestants", lambda graphs, *_: graphs[0].manifest.model)
    monkeypatch.setattr(run, "measure_peers", measure)
    environment = SimpleNamespace(folder=tmp_path)
    result = compare_peers(
        (SMALL, LARGE), tmp_path, environment, PeersPlan(launches=1, core="cortex-a76"), lambda _: None,
        command="", count_up_to=limit, operators=False,
    )  # fmt: skip
    assert [model.resolution for model in result.models] == [SMALL.resolution, LARGE.resolution]
    assert [model for model, was in measured.items() if was] == counted

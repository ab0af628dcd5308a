"""Artifacts as they should be, and the same made wrong in one way each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from evit_deploy.artifact import check_path, manifest_path, sha256_of
from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.gate.compare_facts import compare_facts
from evit_deploy.benchmarks.gate.facts import facts_of
from evit_deploy.benchmarks.suite import DETERMINISTIC, Tolerances
from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.rewrites import EXPORT_PIPELINE
from evit_deploy.models.weights import resolve_weights
from evit_deploy.models.zoo import find_model

Made = Callable[..., Path]
Altered = Callable[[Path, bytes], Path]
Found = Callable[[Path, Path], dict[str, Check]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small models on cores that are shared: waiting for a second thread costs more than it brings."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The verified export of a model with random weights; each kind is made once. Nobody may change it."""
    known: dict[object, Path] = {}

    def make(model: str, format: str, side: int, label: str = "", **changes: object) -> Path:
        key = model, format, side, label
        if key not in known:
            spec = find_model(model)
            options = ExportOptions(format, (side, side)).settled(spec)
            folder = tmp_path_factory.mktemp("made")
            changes.setdefault("pipeline", EXPORT_PIPELINE)
            job = ExportJob(spec, options, resolve_weights(spec, "random"), folder, **changes)
            known[key] = export(job).path
        return known[key]

    return make


@pytest.fixture
def altered(tmp_path: Path) -> Altered:
    """A copy of an artifact with another graph, whose manifest still fits."""

    def make(path: Path, content: bytes) -> Path:
        copy = tmp_path / path.name
        copy.write_bytes(content)
        shutil.copy(check_path(path), check_path(copy))
        manifest = json.loads(manifest_path(path).read_text())
        manifest["graph"]["sha256"] = sha256_of(copy)
        manifest_path(copy).write_text(json.dumps(manifest))
        return copy

    return make


@pytest.fixture
def found() -> Found:
    """Metric -> check, of those that do not pass; without instructions."""

    def compare(old: Path, new: Path) -> dict[str, Check]:
        sides = [{"it": facts_of(path)} for path in (old, new)]
        checks = compare_facts(*sides, DETERMINISTIC, Tolerances(), {})
        return {check.metric: check for check in checks if check.status is not Status.PASS}

    return compare

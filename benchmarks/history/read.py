"""The store -> points of one artifact, or of all artifacts of one model."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from evit_deploy.benchmarks.history.points import Point, points_of
from evit_deploy.benchmarks.results import Measurement, Result
from evit_deploy.benchmarks.store.document import RESULT
from evit_deploy.benchmarks.store.store import Filter, document_of, entries
from evit_deploy.errors import Exit, UserError


def read_points(
    store: Path, name: str | None, device: str | None = None, since: str | None = None
) -> list[Point]:
    """All points of an artifact (with or without its ending) or model, None: of all; reports have none.

    Raises:
        UserError, SetupError: there are none, or the store cannot be read.
    """
    points: list[Point] = []
    for entry in entries(store, Filter(name, device, RESULT, since)):
        value = document_of(store, entry.id).value
        assert isinstance(value, Result)
        wanted = tuple(m for m in value.measurements if _is_wanted(m, name, device))
        points += points_of(replace(value, measurements=wanted), entry.label)
    if not points:
        raise UserError(_nothing(store, name, device, since), Exit.ARTIFACT_MISSING)
    return points


def _is_wanted(measurement: Measurement, name: str | None, device: str | None) -> bool:
    subject = measurement.subject
    names = (None, subject.name, Path(subject.name).stem, (subject.manifest or {}).get("model"))
    return name in names and device in (None, measurement.device)


def _nothing(store: Path, name: str | None, device: str | None, since: str | None) -> str:
    """Why there is nothing, and what there would be."""
    if entries(store, Filter(name, kind=RESULT)):
        where = "" if device is None else f" on {device}"
        when = "" if since is None else f" since {since[:19]}"
        what = "nothing was" if name is None else f"'{name}' was not"
        return f"store {store}: {what} measured{where}{when}"
    results = entries(store, Filter(kind=RESULT))
    known = sorted({known for entry in results for known in (*entry.models, *entry.artifacts)})
    if name is None:
        return f"store {store}: there is no result in it"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.2)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return f"store {store}: no result of '{name}'; {meant}there are: {', '.join(known) or 'none'}"

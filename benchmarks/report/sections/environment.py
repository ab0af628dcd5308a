"""What everything was measured on and with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from evit_deploy.benchmarks.fingerprint import fingerprint_id
from evit_deploy.benchmarks.report.blocks import Block, Folded, Section, Table, text_cells, text_columns
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import moment


def environment_sections(sources: Sources) -> Iterator[Section]:
    """One section, or none where nothing is known."""
    blocks = tuple(_blocks(sources))
    if blocks:
        yield Section("environment", "Environment", blocks)


def _blocks(sources: Sources) -> Iterator[Block]:
    devices = [(label, facts) for run in sources.runs for label, facts in run.devices.items()]
    distinct = {(label, fingerprint_id(facts)): facts for label, facts in devices}
    if distinct:
        rows = tuple(
            text_cells(label, digest, *_essence(facts)) for (label, digest), facts in distinct.items()
        )
        columns = text_columns("device", "fingerprint", "processor", "machine", "kernel", "Python")
        yield Table("Devices; figures of unlike fingerprints are not to be compared", columns, rows)
    for (label, digest), facts in distinct.items():
        yield Folded(f"All facts of {label}", _values(f"{label}, {digest}", facts))
    for run in sources.runs:
        facts = {"created": run.created, "program": run.tool, "plan": run.plan}
        what = f"How was measured, {moment(run.created)}"
        yield Folded(what, _values(what, facts))


def _essence(facts: Mapping[str, Any]) -> list[str]:
    models = facts.get("cpu_models") or [facts.get("soc") or facts.get("core")]
    names = dict.fromkeys(str(model) for model in models if model)
    return [", ".join(names), *(str(facts.get(name) or "") for name in ("machine", "kernel", "python"))]


def _values(caption: str, values: Mapping[str, Any]) -> Table:
    rows = tuple(text_cells(name, text) for name, text in _flat("", values))
    return Table(caption, text_columns("fact", "value"), rows)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """`{"a": {"b": 1}}` -> `a.b`, `1`."""
    if isinstance(value, Mapping) and value:
        prefix = f"{name}." if name else ""
        for key, inner in value.items():
            yield from _flat(f"{prefix}{key}", inner)
    elif isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
        yield name, ", ".join(str(item) for item in value)
    elif isinstance(value, str):
        yield name, value
    else:
        yield name, json.dumps(value, sort_keys=True, default=str)

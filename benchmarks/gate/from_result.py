"""What a result of `evit-bench` knows of the facts that a gate compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evit_deploy.benchmarks.gate.counting import environment_of
from evit_deploy.benchmarks.gate.facts import Counted, Facts, Parity
from evit_deploy.benchmarks.gate.graph_file import tensor_text
from evit_deploy.benchmarks.results import COUNT, Measurement, Result
from evit_deploy.benchmarks.summary import summarize_count


def facts_from_result(result: Result) -> dict[str, Facts]:
    """File name -> facts; those that are in the graph files only are None."""
    by_name: dict[str, list[Measurement]] = {}
    for measurement in result.measurements:
        by_name.setdefault(measurement.subject.name, []).append(measurement)
    return {name: _facts(measurements, result) for name, measurements in by_name.items()}


def _facts(measurements: list[Measurement], result: Result) -> Facts:
    subject, launch = measurements[0].subject, measurements[0].launches[0]
    return Facts(
        size_bytes=subject.size_bytes,
        sha256=subject.sha256,
        inputs=_ends(launch, "inputs"),
        outputs=_ends(launch, "outputs"),
        tools=(subject.manifest or {}).get("tools", {}),
        parity=_parity(launch),
        instructions={
            result.targets.get(m.device, m.device): _counted(m, result)
            for m in measurements
            if m.kind == COUNT
        },
    )


def _counted(measurement: Measurement, result: Result) -> Counted:
    stamp = result.devices.get(measurement.device, {}).get("emulator", {})
    classes = dict(summarize_count(measurement).classes)
    return Counted(classes, environment_of(stamp, measurement.subject.format))


def _ends(launch: Mapping[str, Any], which: str) -> dict[str, str] | None:
    if which not in launch:
        return None
    return {end["name"]: tensor_text(end["dtype"], end["shape"]) for end in launch[which]}


def _parity(launch: Mapping[str, Any]) -> Parity | None:
    found = launch.get("parity")
    if found is None:
        return None
    classes = bool(launch["outputs"][0]["dtype"].startswith("int"))
    runtime = f"{launch['runtime']['name']} {launch['runtime']['version']}"
    sqnr_db = round(found["sqnr_db"], 2) if found["finite"] else None
    return Parity(sqnr_db, found["agreement"], classes, runtime)

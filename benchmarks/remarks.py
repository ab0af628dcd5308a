"""What a reader must know with a table of latencies: launches that were slowed, disturbed, or are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evit_deploy.benchmarks.results import LATENCY, Measurement, Result

# Of the time of the used cores: a third of the margin by which two builds are compared (3 %).
STOLEN_SHARE = 0.01


def remarks(result: Result) -> list[str]:
    """Sentences, each about all artifacts that it concerns."""
    latencies = result.of_kind(LATENCY)
    found = [
        _about(latencies, _unsteady, "Not steady after warm-up: {}. Is the machine busy?"),
        _about(latencies, _discarded, "Throttled launches, discarded and run again: {}."),
        _about(latencies, _throttled, "Throttled all the same, not to be relied on: {}."),
        _about(latencies, _stolen, "The host of this virtual machine gave time to others: {}."),
        _about(latencies, _native, "Measured by the native runner, without Python: {}."),
        _about(latencies, _printed, "As a native program printed it, outputs not verified: {}."),
    ]
    partial = [] if result.partial is None else [f"Partial: {result.partial}"]
    return [remark for remark in found if remark is not None] + partial


def _about(
    measurements: Sequence[Measurement], what: Callable[[Measurement], str | None], sentence: str
) -> str | None:
    named = [f"{m.subject.name}{said}" for m in measurements if (said := what(m)) is not None]
    return sentence.format(", ".join(named)) if named else None


def _unsteady(measurement: Measurement) -> str | None:
    return None if all(launch["steady"] for launch in measurement.launches) else ""


def _discarded(measurement: Measurement) -> str | None:
    count = len(measurement.discarded)
    return f" ({count}: {measurement.discarded[0]['throttled'][0]})" if count else None


def _throttled(measurement: Measurement) -> str | None:
    launches = [launch for launch in measurement.launches if launch.get("throttled")]
    return f" ({len(launches)} of {len(measurement.launches)} launches)" if launches else None


def _stolen(measurement: Measurement) -> str | None:
    shares = [share for launch in measurement.launches if (share := stolen_share(launch)) is not None]
    worst = max(shares, default=0.0)
    return f" ({worst:.1%} of a launch)" if worst > STOLEN_SHARE else None


def _native(measurement: Measurement) -> str | None:
    return "" if "native_runner" in measurement.launches[0] else None


def _printed(measurement: Measurement) -> str | None:
    launch = measurement.launches[0]
    if "printed" not in launch:
        return None
    figure, runtime = launch["printed"]["figure"], launch["runtime"]["name"]
    return f" ({figure} of {launch['runs_per_sample']} runs of {runtime})"


def stolen_share(launch: dict[str, Any]) -> float | None:
    """Time that the host took from the used cores, as a share of what sampling took; None: unknown."""
    before, after = (launch.get(name, {}).get("steal_s") for name in ("before", "after"))
    seconds = sum(launch["samples_ns"]) * launch.get("runs_per_sample", 1) / 1e9
    return None if before is None or after is None else (after - before) / seconds

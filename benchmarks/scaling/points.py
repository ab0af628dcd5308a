"""Which graphs are compared, and what each costs: exact ARM instructions, peak memory on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evit_deploy.artifact import FORMAT_SUFFIXES, check_path, read_manifest
from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.instructions import count_instructions
from evit_deploy.benchmarks.measure import Plan, install_agent
from evit_deploy.devices import resolve
from evit_deploy.errors import Exit

# Our export; the published formulation as it is; the same with softmax over the same heads.
OURS, PLAIN, SOFTMAX = "ours", "plain", "softmax"
_EXPORTS: dict[str, tuple[str, ...]] = {
    OURS: (),
    PLAIN: ("plain",),
    SOFTMAX: ("plain", "--attention", "softmax"),
}
SIZED = ("b0", "b1", "b2", "b3")


@dataclass(frozen=True)
class Graph:
    """What to export. `kind` is OURS, PLAIN or SOFTMAX; height and width in pixels."""

    model: str
    kind: str
    format: str
    height: int
    width: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.model} {self.kind} {self.format} {self.height}x{self.width}"


@dataclass(frozen=True)
class Point:
    """What one inference takes; `peak_bytes` is of a whole process, natively."""

    graph: Graph
    sha256: str
    macs: float
    parameters: int
    instructions: int
    memory_accesses: int
    peak_bytes: int
    idle_bytes: int
    attention_tokens: int  # N of the first attention stage, at stride 16

    @property
    def pixels(self) -> int:
        """Of the input."""
        return self.graph.height * self.graph.width

    @property
    def run_bytes(self) -> int:
        """What loading and running the graph adds to a process that has loaded the runtime."""
        return self.peak_bytes - self.idle_bytes

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def point_from_dict(values: dict[str, Any]) -> Point:
    """From what `as_dict` gave.

    Raises:
        KeyError, TypeError: it is not a point.
    """
    return Point(**{**values, "graph": Graph(**values["graph"])})


def by_resolution(model: str, widths: list[int], softmax_up_to: int, aspect: int) -> Iterator[Graph]:
    """Graphs of one model, height to width 1 to `aspect`; those for comparison only up to a width."""
    for width in widths:
        for format in FORMAT_SUFFIXES:
            yield Graph(model, OURS, format, width // aspect, width)
            if width <= softmax_up_to:
                yield Graph(model, PLAIN, format, width // aspect, width)
                yield Graph(model, SOFTMAX, format, width // aspect, width)


def by_size() -> Iterator[Graph]:
    """B0 to B3 at 224."""
    for model in SIZED:
        for format in FORMAT_SUFFIXES:
            yield Graph(model, OURS, format, 224, 224)


def measure(graph: Graph, folder: Path, device: str) -> Point | None:
    """Export unless it is there, count on an emulated device, take peak memory here.

    `None` where the export is refused: it differs from its reference, as `evit-export` says on stderr.

    Raises:
        UserError, SetupError: as `evit-bench`.
    """
    path = _exported(graph, folder / graph.name.replace(" ", "-"))
    if path is None:
        return None
    manifest = read_manifest(path)
    assert manifest is not None
    classes = count_instructions(path, resolve(device)).classes
    memory = _memory(path)
    return Point(
        graph=graph,
        sha256=manifest.graph.sha256,
        macs=manifest.graph.macs,
        parameters=manifest.graph.parameters,
        instructions=sum(classes.values()),
        memory_accesses=sum(classes.get(f"{p}{n}", 0) for p in ("", "simd_") for n in ("load", "store")),
        peak_bytes=memory["peak_bytes"],
        idle_bytes=memory["idle_bytes"],
        attention_tokens=-(-graph.height // 16) * -(-graph.width // 16),
    )


def _exported(graph: Graph, folder: Path) -> Path | None:
    suffix = FORMAT_SUFFIXES[graph.format]
    if not list(folder.glob(f"*{suffix}")):
        how = [*_EXPORTS[graph.kind], graph.model, "-f", graph.format, "-r", f"{graph.height}x{graph.width}"]
        command = [sys.executable, "-m", "evit_deploy.cli.export", *how, "-w", "random", "-q"]
        finished = subprocess.run([*command, "-o", str(folder)], stdout=subprocess.DEVNULL, check=False)
        if finished.returncode == Exit.PARITY:
            return None
        if finished.returncode:
            sys.exit(finished.returncode)
    (path,) = folder.glob(f"*{suffix}")
    return path


def _memory(path: Path) -> dict[str, int]:
    """`peak_bytes` and `idle_bytes` of a process on this machine."""
    check = check_path(path)
    with resolve("local") as device:
        install_agent(bundle_agent(), device)
        job = {
            **{"mode": "memory", "threads": 1, "seed": Plan.seed, "interpreter": "auto"},
            **{"graph": device.push(path), "check": device.push(check) if check.is_file() else None},
        }
        return device.run_agent(job)

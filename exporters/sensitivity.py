"""What each block of a model does to the output in int8, and what leaving the worst in float32 gains.

    blocks    each alone in int8, all others in float32                    -> SQNR of the output
    points    the k most sensitive in float32, all others in int8, k = 0.. -> SQNR, size of the file

The last point is the float32 graph itself. On the front are the points that no other one beats in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evit_deploy.exporters.convert import converted
from evit_deploy.exporters.job import ExportJob, Step
from evit_deploy.exporters.precision.mixed_graph import MixedGraph
from evit_deploy.exporters.precision.mixed_search import measure_alone, ranked
from evit_deploy.exporters.precision.quantization import mixed_graph
from evit_deploy.exporters.reference import reference_of, reference_values
from evit_deploy.exporters.staging import staging_folder
from evit_deploy.exporters.tools import tool_versions
from evit_deploy.parity import SQNR_EXACT_DB

# History: 1 = first version.
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Block:
    """One block; `sqnr_db` is the output's where this one alone is in int8, `operators` how many that are."""

    path: str
    operators: int
    sqnr_db: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"path": self.path, "operators": self.operators, "sqnr_db": round(self.sqnr_db, 2)}


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of blocks in float32, the most sensitive first.

    `instructions` are those of an inference on an emulated core; `None` where they were not counted.
    """

    float32: tuple[str, ...]
    sqnr_db: float
    size_bytes: int
    on_front: bool = False
    instructions: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "float32_blocks": list(self.float32),
            "sqnr_db": round(self.sqnr_db, 2),
            "size_bytes": self.size_bytes,
            "on_front": self.on_front,
            "instructions": self.instructions,
        }


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Blocks in the order of the model; points by the number of blocks in float32."""

    blocks: tuple[Block, ...]
    points: tuple[Point, ...]

    @property
    def ranking(self) -> tuple[Block, ...]:
        """The most sensitive first."""
        return tuple(sorted(self.blocks, key=lambda block: block.sqnr_db))


def float32_graph(job: ExportJob, step: Step) -> MixedGraph:
    """The job's graph, converted, verified in float32 and calibrated; nothing is left in its folder.

    Args:
        job: of precision int8, with a calibration.
        step: is told what begins now.

    Raises:
        ParityError: the graph is wrong.
        EvitError: the converter or the quantizer failed, or operators cannot be told apart by block.
    """
    with staging_folder(job.output) as staged:
        step("reference")
        module = reference_of(job)
        graph = staged / job.path.name
        rewritten, _ = converted(job, module, reference_values(job), graph, step)
        step("calibrate")
        return mixed_graph(graph.read_bytes(), rewritten.module, module.model, job.calibration, job.options)


def measure_sensitivity(graph: MixedGraph, step: Step) -> Sensitivity:
    """Measure every block and every point; `step` is told what was found."""
    alone = measure_alone(graph, step)
    blocks = tuple(Block(p, len(graph.blocks[p]), measured.sqnr_db) for p, measured in alone.items())
    ranking = ranked(alone)
    points = []
    for count in range(len(ranking)):
        measured = graph.measure(ranking[:count])
        step(f"{count} of {len(ranking)} blocks in float32: {measured.sqnr_db:.1f} dB")
        points.append(Point(ranking[:count], measured.sqnr_db, measured.size_bytes))
    points.append(Point(ranking, SQNR_EXACT_DB, len(graph.content)))
    return Sensitivity(blocks, marked(points))


def marked(points: Sequence[Point]) -> tuple[Point, ...]:
    """The same with those marked that are on the front."""
    return tuple(replace(p, on_front=not any(_beats(other, p) for other in points)) for p in points)


def _beats(one: Point, other: Point) -> bool:
    """At least as close and as small, and better in one."""
    closer, smaller = one.sqnr_db - other.sqnr_db, other.size_bytes - one.size_bytes
    return closer >= 0 and smaller >= 0 and (closer > 0 or smaller > 0)


def sensitivity_record(
    job: ExportJob, graph: MixedGraph, found: Sensitivity, device: str | None
) -> dict[str, Any]:
    """What is stored: versioned, with all that decided the figures.

    `device` is what the instructions were counted on; `None` where nothing was.
    """
    assert job.calibration is not None
    weights = job.weights.provenance
    return {
        "schema": SCHEMA_VERSION,
        "model": job.spec.name,
        "resolution": list(job.options.resolution),
        "weights": {"source": weights.source, "sha256": weights.sha256, "seed": weights.seed},
        "calibration": job.calibration.as_dict(),
        "ranges": str(job.options.range_method),
        "images": graph.split.as_dict(),
        "blocks": [block.as_dict() for block in found.blocks],
        "points": [point.as_dict() for point in found.points],
        "instructions_on": device,
        "tools": tool_versions("tflite", "int8"),
    }

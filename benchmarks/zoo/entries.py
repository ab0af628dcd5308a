"""What is known of an artifact for the page: its size, its distance from the reference, its instructions.

Exported by `evit-export MODEL -f FORMAT -p PRECISION -r SIZE -w random`: random weights cost what any weights
cost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.instructions import count_instructions
from evit_deploy.benchmarks.own_commands import try_own
from evit_deploy.devices import resolve
from evit_deploy.errors import Exit
from evit_deploy.models.complexity import count_macs
from evit_deploy.models.zoo import ModelSpec

CORES = ("cortex-a53", "cortex-a76")
# Precision -> formats, in the page's order.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "fp32": ("onnx", "tflite"),
    "int8": ("onnx", "tflite"),
    "fp16-weights": ("onnx", "tflite"),
    "fp16": ("tflite",),
}
# A Cortex-A53 has no float16 arithmetic; fp16-weights computes what fp32 computes.
COUNTED_ON: Mapping[str, tuple[str, ...]] = {
    "fp32": CORES,
    "int8": CORES,
    "fp16-weights": (),
    "fp16": ("cortex-a76",),
}
REFUSED = (Exit.USAGE, Exit.PARITY)  # of an export that is not to be had; any other failure ends the run
# Cityscapes' own size would take an emulated core hours.
SIZES: Mapping[str, tuple[int, int]] = {"cityscapes": (512, 1024)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An artifact that the page has a row for."""

    model: str
    format: str
    precision: str
    height: int
    width: int

    @property
    def size(self) -> str:
        """Height and width."""
        return f"{self.height}x{self.width}"

    @property
    def command(self) -> str:
        """What makes it."""
        precision = "" if self.precision == "fp32" else f" -p {self.precision}"
        return f"evit-export {self.model} -f {self.format}{precision} -r {self.size}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What was measured of it; `instructions` by core, of one inference, none where that takes too long."""

    wanted: Wanted
    sha256: str
    size_bytes: int
    worst_db: float
    instructions: Mapping[str, int]
    day: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why `evit-export` does not make it, in its own words."""

    wanted: Wanted
    refused: str
    day: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


Known = Mapping[Wanted, Entry | Refusal]
MEASURED = Path(__file__).with_name("measured.json")


def read_known() -> dict[Wanted, Entry | Refusal]:
    """What `MEASURED` has; nothing where there is no such file."""
    values = json.loads(MEASURED.read_bytes()) if MEASURED.is_file() else []
    return {entry.wanted: entry for entry in map(entry_from_dict, values)}


def entry_from_dict(values: Mapping[str, Any]) -> Entry | Refusal:
    """From what `as_dict` gave.

    Raises:
        KeyError, TypeError: it is neither an entry nor a refusal.
    """
    kind = Refusal if "refused" in values else Entry
    return kind(**{**values, "wanted": Wanted(**values["wanted"])})


def wanted_of(spec: ModelSpec) -> Iterator[Wanted]:
    """Every artifact of a model that the page has a row for."""
    size = SIZES.get(spec.dataset, spec.resolution)
    for precision, formats in PRECISIONS.items():
        for format in formats:
            yield Wanted(spec.short_name, format, precision, *size)


def macs_of(spec: ModelSpec) -> int:
    """Multiply-accumulates at the size that the page measures at."""
    return count_macs(spec, SIZES.get(spec.dataset, spec.resolution))


def is_complete(entry: Entry | Refusal, *, counted: bool) -> bool:
    """Whether there is nothing left to be measured, instructions if they are to be counted."""
    return isinstance(entry, Refusal) or set(_cores(entry.wanted, counted)) <= set(entry.instructions)


def measure(wanted: Wanted, folder: Path, *, counted: bool) -> Entry | Refusal:
    """Export, and count on each core if `counted`.

    Raises:
        UserError, SetupError: as `evit-bench`.
        SystemExit: the export failed for another reason than that it is not to be had, with its code.
    """
    day = date.today().isoformat()
    words = wanted.command.split()[1:]
    done = try_own("export", *words, "-w", "random", "-j", "1", "--json", "-q", "-o", str(folder))
    if done.returncode:
        sys.stderr.write(done.stderr)
        *_, last = done.stderr.splitlines() or [""]
        # A traceback ends with the same code as a difference.
        if done.returncode in REFUSED and last.startswith("error: "):
            return Refusal(wanted, last.removeprefix("error: "), day)
        sys.exit(done.returncode)
    manifest = json.loads(done.stdout)[0]  # of a model of several graphs the encoder
    path = Path(manifest["path"])
    cores = _cores(wanted, counted)
    counts = {core: count_instructions(path, resolve(f"qemu:{core}")) for core in cores}
    return Entry(
        wanted,
        sha256=manifest["graph"]["sha256"],
        size_bytes=manifest["graph"]["size_bytes"],
        worst_db=worst_db(manifest["parity"]["samples"]),
        instructions={core: sum(count.classes.values()) for core, count in counts.items()},
        day=day,
    )


def worst_db(samples: Mapping[str, Mapping[str, Any]]) -> float:
    """The lowest SQNR over the inputs that are judged."""
    judged = [s["sqnr_db"] for s in samples.values() if s.get("judged", True)]
    return min(float("inf") if decibels is None else float(decibels) for decibels in judged)


def _cores(wanted: Wanted, counted: bool) -> tuple[str, ...]:
    return COUNTED_ON[wanted.precision] if counted else ()

"""The proof that float16 is safe: finite on every image, close enough, and not limited by its attention.

    python -m evit_deploy.benchmarks.float16 [NAME]... [--device qemu:cortex-a76] [--docs docs/float16.md]

Exports B1 (random weights) and the models of the test beds (segmentation B0 and B0, trained) with --precision
fp16 and in the published formulation, and runs both on extreme and on real images. Exit code 1 where ours
fails: NaN or infinity, below 40 dB on a trained model, or more than 3 dB below the same file with its
attention in float32. --device local forces float16 on x86-64, whose kernels add up in float32. What lies in
--output is not made again: give a fresh folder after a change of the exporters. An emulated core takes ten
seconds an image, four times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import click

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.benchmarks.float16.examine import (
    Examined,
    examine,
    examined_from_dict,
    reference_outputs,
)
from evit_deploy.benchmarks.float16.images import images_for
from evit_deploy.benchmarks.float16.run import FORCED, runs_on
from evit_deploy.benchmarks.float16.text import failures_of, table
from evit_deploy.benchmarks.marked_page import sections_into_page
from evit_deploy.benchmarks.own_commands import run_own
from evit_deploy.benchmarks.test_beds.beds import BEDS
from evit_deploy.benchmarks.test_beds.make import make_bed
from evit_deploy.benchmarks.test_beds.progress import Progress
from evit_deploy.devices import Device, LocalDevice, resolve
from evit_deploy.errors import Exit
from evit_deploy.models.zoo import CLASSIFICATION, find_model
from evit_deploy.runtimes import DEFAULTS

IMAGENET_CLASSES = 1000
RANDOM: Mapping[str, tuple[int, int]] = {"b1": (224, 224)}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, its weights and the number of its outputs.

    `calibration` and `own` are folders of images of its kind, if it has any.
    """

    model: str
    weights: str
    resolution: tuple[int, int]
    outputs: int
    calibration: Path | None = None
    own: Path | None = None

    @property
    def trained(self) -> bool:
        """Whether its answers mean something."""
        return self.own is not None

    def __str__(self) -> str:
        height, width = self.resolution
        return f"{self.model} at {height}x{width}, {'trained' if self.trained else 'random weights'}"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice([*RANDOM, *BEDS]))
@click.option("-d", "--device", default="qemu:cortex-a76", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/float16"))
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the tables into this page.")
def main(names: tuple[str, ...], device: str, output: Path, docs: Path | None) -> None:
    """Export, run, print."""
    sections, failures = {}, []
    for name in names or (*RANDOM, *BEDS):
        subject = subject_of(name)
        examined = _examined(subject, output / name, device)
        heading = f"**{name}**: {subject}, on {device}. Measured on {date.today()}."
        sections[name] = f"{heading}\n\n{table(examined.rows)}"
        click.echo(sections[name])
        failures += [f"{name}: {why}" for why in failures_of(examined, trained=subject.trained)]
    if docs is not None:
        page = sections_into_page(docs.read_text(encoding="utf-8"), sections)
        write_atomically(docs, page.encode())
    for failure in failures:
        _say(failure)
    if failures:
        raise SystemExit(int(Exit.PARITY))


def subject_of(name: str) -> Subject:
    """By the name of a model with random weights, or of a test bed, which is made if it is not there."""
    if name in RANDOM:
        return Subject(name, "random", RANDOM[name], IMAGENET_CLASSES)
    files = make_bed(BEDS[name], Progress(name))
    bed = files.bed
    # A segmentation model has them for each of many places, and one image is enough.
    outputs = len(bed.classes) if bed.task == CLASSIFICATION else math.prod(bed.resolution)
    return Subject(bed.model, str(files.checkpoint), bed.resolution, outputs, files.calibration, files.data)


def _examined(subject: Subject, folder: Path, device: str) -> Examined:
    """As it lies in `folder`, or now."""
    stored = folder / f"{device.replace(':', '-')}.json"
    if not stored.is_file():
        write_atomically(stored, to_json(asdict(_examine_on(resolve(device), subject, folder))))
    return examined_from_dict(json.loads(stored.read_bytes()))


def _examine_on(device: Device, subject: Subject, folder: Path) -> Examined:
    spec = find_model(subject.model)
    calibration = [] if subject.calibration is None else ["--calibration", str(subject.calibration)]
    graph = _exported(subject, folder / "ours", "run", "--precision", "fp16", *calibration)
    plain = _exported(subject, folder / "plain", "plain")
    images = images_for(spec.task, subject.resolution, spec.crop, subject.own, outputs=subject.outputs)
    expected = reference_outputs(subject.model, subject.weights, images)
    # The file asks for float16 by itself, but only of cores that have such arithmetic.
    whole = FORCED if isinstance(device, LocalDevice) else DEFAULTS
    with runs_on(device, _say) as run:
        return examine(graph, plain, images, expected, run, whole)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _exported(subject: Subject, folder: Path, command: str, *options: str) -> Path:
    """By `evit-export`, unless it is there."""
    height, width = subject.resolution
    model = [subject.model, "--weights", subject.weights, "-r", f"{height}x{width}", "--format", "tflite"]
    if not list(folder.glob("*.tflite")):
        run_own("export", command, *model, *options, "-q", "-o", str(folder))
    (graph,) = folder.glob("*.tflite")
    return graph


if __name__ == "__main__":
    main()

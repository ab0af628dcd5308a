"""Several exports: what they have in common is done once, and several processes share the rest.

    weights, the reference's outputs   here, once for all graphs of a model, while the processes start
    conversion, verification           a process for each core (`worker.py`), the longest first

The bytes that are written do not depend on how many processes there are. PyTorch has one thread: an export
gains nothing by more, and threads that wait for each other spin, which takes minutes where cores are shared.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from evit_deploy.errors import EvitError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.reference import shared_values
from evit_deploy.exporters.shared_reference import in_layout, save_outputs, shared_options
from evit_deploy.exporters.staging import staging_folder
from evit_deploy.exporters.verify import Reference, usable_cores
from evit_deploy.exporters.worker import WEIGHTS, Task, Worker, started, with_news

Say = Callable[[ExportJob, str], None]
# Peak memory of one export: B1 at 224 takes 0.95 GB and L3 at 64 takes 7.55 GiB, measured; what grows with
# the image, activations in float64 above all, is an allowance.
BYTES_EACH = 1 << 30
BYTES_PER_PARAMETER = 32
BYTES_PER_PIXEL = 1500


def export_one_by_one(jobs: Sequence[ExportJob], say: Say) -> Iterator[Exported]:
    """Each after the other, here.

    Args:
        jobs: those of one model beside each other, since what they share is kept for them only.
        say: is told which step of which job begins.

    Raises:
        EvitError: as `export`; what was exported before stays.
    """
    torch.set_num_threads(1)
    references = References()
    for job in jobs:
        yield export(job, partial(say, job), references.of)


def export_side_by_side(jobs: Sequence[ExportJob], processes: int, say: Say) -> list[Exported]:
    """In processes of their own; the results are in the order of the jobs, which have one output folder.

    Raises:
        EvitError: the first failure; what is not finished by then is stopped, and leaves nothing.
    """
    torch.set_num_threads(1)
    (output,) = {job.output for job in jobs}
    order = sorted(range(len(jobs)), key=lambda i: _urgency(jobs, i))
    with staging_folder(output) as folder, started(processes, [jobs[i] for i in order], folder) as workers:
        board = _Board(jobs, workers, folder, say)
        for position in order:
            board.hand_out(position)
        return board.results()


class References:
    """The reference's outputs for one job after the other; computed again only where they differ."""

    def __init__(self) -> None:
        self._key: object = None
        self._shared: Reference | None = None

    def of(self, job: ExportJob) -> Reference:
        """What the graph of this job is compared with."""
        return in_layout(self.shared(job), job.options)

    def shared(self, job: ExportJob) -> Reference:
        """In the layout in which it was computed."""
        if self._shared is None or reference_key(job) != self._key:
            self._shared = None  # not two at a time
            self._shared = shared_values(job)
            self._key = reference_key(job)
        return self._shared


def reference_key(job: ExportJob) -> object:
    """Equal for jobs whose references compute the same."""
    weights = job.weights
    return job.spec, shared_options(job.options), weights.provenance, weights.num_classes, job.calibration


def processes_for(jobs: Sequence[ExportJob]) -> int:
    """As many as there are cores that we may use, no more than the free memory bears."""
    largest = max(_peak_bytes(job) for job in jobs)
    return max(1, min(len(jobs), usable_cores(), _available_bytes() // largest))


class _Board:
    """Who is at what: hands out jobs, listens, keeps the results."""

    def __init__(self, jobs: Sequence[ExportJob], workers: Sequence[Worker], folder: Path, say: Say) -> None:
        self._jobs, self._workers, self._folder, self._say = jobs, workers, folder, say
        self._references = References()
        self._exported: dict[int, Exported] = {}

    def hand_out(self, position: int) -> None:
        """Give a job to the first process that is free."""
        job = self._jobs[position]
        shared = self._shared_folder(job)
        while all(worker.task for worker in self._workers):
            self._listen()
        idle = next(worker for worker in self._workers if worker.task is None)
        idle.give(Task(position, replace(job, weights=replace(job.weights, state_dict={})), shared))

    def results(self) -> list[Exported]:
        """Of all jobs, when the last is done."""
        while any(worker.task for worker in self._workers):
            self._listen()
        for worker in self._workers:
            worker.dismiss()
        return [self._exported[position] for position in range(len(self._jobs))]

    def _listen(self) -> None:
        """One message at least."""
        for worker in with_news(worker for worker in self._workers if worker.task):
            assert worker.task is not None
            position = worker.task.position
            message = worker.receive()
            if isinstance(message, EvitError):
                raise message
            if isinstance(message, Exported):
                self._exported[position] = message
                self._say(self._jobs[position], "written")
                self._clean_up(position)
            else:
                self._say(self._jobs[position], message)

    def _shared_folder(self, job: ExportJob) -> Path:
        """Where weights and outputs of the job's reference are; made for the first that needs them."""
        folder = self._folder_of(job)
        if not folder.exists():
            self._say(job, "what the reference computes")
            folder.mkdir()
            torch.save(job.weights.state_dict, folder / WEIGHTS)
            save_outputs(self._references.shared(job), folder)
        return folder

    def _folder_of(self, job: ExportJob) -> Path:
        keys = [reference_key(other) for other in self._jobs]
        return self._folder / f"reference-{keys.index(reference_key(job))}"

    def _clean_up(self, finished: int) -> None:
        """The outputs of a large model are gigabytes: gone with the last graph that needs them."""
        folder = self._folder_of(self._jobs[finished])
        unfinished = [job for i, job in enumerate(self._jobs) if i not in self._exported]
        if folder not in map(self._folder_of, unfinished):
            shutil.rmtree(folder)


def _urgency(jobs: Sequence[ExportJob], position: int) -> tuple[int, bool, int]:
    """Models as they come; of one model, TFLite first, which takes twice as long as ONNX."""
    keys = [reference_key(job) for job in jobs]
    return keys.index(keys[position]), jobs[position].options.format != "tflite", position


def _peak_bytes(job: ExportJob) -> int:
    height, width = job.options.resolution
    return BYTES_EACH + BYTES_PER_PARAMETER * job.spec.parameters + BYTES_PER_PIXEL * height * width


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0  # an old kernel: one process, to be safe

"""A process that exports what it is given, until it is ended.

    here                                   in the process
    Task(position, job, shared folder) ->  steps as text, then `Exported` or the error

It is ended with SIGTERM, of which it dies at once; what it has written by then lies in the folder of the
process that started it. Ctrl-C, which a terminal sends to both, is for that process alone.
"""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from evit_deploy.errors import EvitError, Exit
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.exporters.shared_reference import in_layout, load_outputs
from evit_deploy.exporters.verify import Reference

WEIGHTS = "weights.pt"
# Seconds of imports, which the process does before its first task arrives.
_CONVERTERS = {"onnx": ("onnx", "onnxscript", "onnxsim"), "tflite": ("litert_torch",)}


@dataclass(frozen=True, slots=True)
class Task:
    """A job without the tensors of its weights: those, and the reference's outputs, are in `shared`."""

    position: int
    job: ExportJob
    shared: Path


Message = str | Exported | EvitError


class Worker:
    """A started process, and what it is at.

    Args:
        job: its first, whose converter it imports meanwhile.
        folder: for whatever it writes before it is finished.
    """

    def __init__(self, job: ExportJob, folder: Path) -> None:
        # A fork of a process that has run PyTorch's threads may hang in its first operator.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = theirs, job.options.format, folder
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # which the process inherits
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        theirs.close()
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        """Send the next task to an idle process.

        Raises:
            EvitError: it has died.
        """
        assert self.task is None
        self.task = task
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._death() from error

    def receive(self) -> Message:
        """What it says next; after anything but text it is idle.

        Raises:
            EvitError: it has died.
        """
        assert self.task is not None
        try:
            message: Message = self.connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._death() from error
        if not isinstance(message, str):
            self.task = None
        return message

    def dismiss(self) -> None:
        """Let an idle process end by itself."""
        assert self.task is None
        self.connection.close()
        self._process.join()

    def end(self) -> None:
        """Stop it, whatever it is at."""
        self._process.terminate()
        self._process.join(5)
        self._process.kill()  # stuck in the kernel, if anywhere
        self._process.join()
        self.connection.close()

    def _death(self) -> EvitError:
        assert self.task is not None
        self._process.join()
        code = self._process.exitcode
        how = f"ended with exit code {code}"
        if code == -signal.SIGKILL:
            how = "was killed, as for want of memory"
        message = f"the process that exported {self.task.job.path.name} {how}; try --jobs 1"
        return EvitError(message, Exit.CONVERSION)


@contextmanager
def started(count: int, jobs: Sequence[ExportJob], folder: Path) -> Iterator[list[Worker]]:
    """So many processes for jobs in this order, ended with the block."""
    workers: list[Worker] = []
    try:
        for job in jobs[:count]:
            workers.append(Worker(job, folder))
        yield workers
    finally:
        for worker in workers:
            worker.end()


def with_news(workers: Iterable[Worker]) -> list[Worker]:
    """Those that have said something or died; waits for one that has."""
    listened_to = {worker.connection: worker for worker in workers}
    return [listened_to[ready] for ready in wait(listened_to) if isinstance(ready, Connection)]


def _serve(connection: Connection, format: str, folder: Path) -> None:
    """In the process: work until there is nobody left to work for."""
    tempfile.tempdir = str(folder)
    torch.set_num_threads(1)  # there is a process for each core, and threads that wait for work spin
    # Else the lock of a progress bar somewhere in a converter outlives the process.
    multiprocessing.set_start_method("fork", force=True)
    with suppress(ImportError), captured_output():  # what is missing, the export itself says better
        for name in _CONVERTERS[format]:
            importlib.import_module(name)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            task: Task = connection.recv()
            connection.send(_outcome(task, connection, folder))


def _outcome(task: Task, connection: Connection, folder: Path) -> Exported | EvitError:
    weights = torch.load(task.shared / WEIGHTS, mmap=True, weights_only=True)
    job = replace(task.job, weights=replace(task.job.weights, state_dict=weights))

    def known(job: ExportJob) -> Reference:
        return in_layout(load_outputs(task.shared), job.options)

    try:
        return export(job, connection.send, known, folder)
    except EvitError as error:
        return error

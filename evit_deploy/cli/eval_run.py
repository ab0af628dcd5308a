"""The work of `evit-eval`: open the models and the dataset, go through the images, keep what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import PIL

import evit_deploy
from evit_deploy.benchmarks.accuracy.dataset import Dataset, Item, listing_fingerprint, sample
from evit_deploy.benchmarks.accuracy.examine import examine_all
from evit_deploy.benchmarks.accuracy.fits import refuse_misfits
from evit_deploy.benchmarks.accuracy.imagenet import read_class_list
from evit_deploy.benchmarks.accuracy.layouts import read_dataset
from evit_deploy.benchmarks.accuracy.records import (
    Record,
    RecordFile,
    changed,
    read_records,
    records_path,
    refuse_changed,
)
from evit_deploy.benchmarks.accuracy.results import Evaluation, summarised
from evit_deploy.benchmarks.accuracy.subject import Subject
from evit_deploy.benchmarks.environment import machine_facts
from evit_deploy.cli.common import Reporter
from evit_deploy.cli.eval_device import facts_of, opened_device
from evit_deploy.cli.eval_models import opened_models, refuse_unused_options
from evit_deploy.cli.eval_request import EvalRequest, request_from_dict
from evit_deploy.errors import UserError

_LINES = 20  # of progress where there is no terminal


@dataclass(frozen=True, slots=True)
class Opened:
    """Models and data, ready.

    `items` are those asked for; `device` says where artifacts run, see `Evaluation`; `reference` is what
    --against names.
    """

    request: EvalRequest
    dataset: Dataset
    items: tuple[Item, ...]
    device: dict[str, Any]
    subjects: tuple[Subject, ...]
    reference: Subject | None

    @property
    def models(self) -> tuple[Subject, ...]:
        """As their outcomes stand in a record: the reference last."""
        return self.subjects if self.reference is None else (*self.subjects, self.reference)

    def header(self) -> dict[str, Any]:
        """What a partial file needs to say."""
        return {
            "tool": tool(),
            "request": self.request.as_dict(),
            "models": [dict(model.identity) for model in self.models],
            "listing": listing_fingerprint(self.items, self.dataset.problems),
        }


def tool() -> dict[str, str]:
    """This program and the packages besides the runtimes that figures depend on."""
    return {"evit-deploy": evit_deploy.__version__, "numpy": np.__version__, "pillow": PIL.__version__}


@contextmanager
def opened(
    request: EvalRequest, reporter: Reporter, *, setup: bool = True, wait: bool = True
) -> Iterator[Opened]:
    """Everything that a request names, checked against each other.

    Args:
        request: names it.
        reporter: is told of warnings, and of what takes time.
        setup: see `opened_device`.
        wait: see `opened_device`.

    Raises:
        UserError, SetupError: something is missing or does not fit.
    """
    classes = None if request.classes is None else read_class_list(Path(request.classes))
    refuse_unused_options(request)
    dataset = read_dataset(Path(request.data), request.layout, request.split, classes)
    items = sample(dataset.items, request.limit, request.seed)
    with ExitStack() as stack:
        device = stack.enter_context(opened_device(request, reporter, setup=setup, wait=wait))
        models = opened_models(request, device, reporter, stack)
        found = Opened(request, dataset, items, facts_of(device), *models)
        refuse_misfits(dataset, found.models)
        yield found


def evaluate(opened: Opened, resume: Path | None, reporter: Reporter) -> tuple[Evaluation, Path]:
    """Examine every image that is not done; the value is the result and the file with the records.

    Raises:
        UserError: the file to go on with does not belong to this, or no image was usable.
    """
    done = () if resume is None else _done(resume, opened)
    path = resume or records_path(Path(opened.request.output))
    records = list(done)
    file = RecordFile.continued(path) if resume is not None else RecordFile.begun(path, opened.header())
    left = opened.items[len(done) :]
    with file, reporter.progress(f"evaluating on {len(left)} images", len(left)) as step:

        def keep(record: Record) -> None:
            file.append(record)
            records.append(record)

        said = _seldom(step, len(left))
        try:
            examine_all(opened.dataset, left, opened.subjects, opened.reference, keep, said)
        except BaseException:  # Ctrl-C above all
            reporter.warn(f"{len(records)} of {len(opened.items)} images done; {_go_on(path)}")
            raise
    try:
        return _evaluation(opened, records), path
    except UserError:  # not one image is usable, so there is nothing to go on with
        path.unlink()
        raise


def requested(resume: Path) -> EvalRequest:
    """The request of a partial file.

    Raises:
        UserError: it is none.
    """
    header, _ = read_records(resume)
    try:
        return request_from_dict(header["request"])
    except (KeyError, TypeError) as error:
        raise UserError(f"--resume {resume}: its header is damaged ({error}); evaluate anew") from error


def _go_on(path: Path) -> str:
    return f"go on with 'evit-eval --resume {path}'"


def _evaluation(opened: Opened, records: Sequence[Record]) -> Evaluation:
    request = opened.request
    facts = summarised(opened.dataset, records, opened.subjects, opened.reference, request.seed)
    return Evaluation(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        tool=tool(),
        environment=machine_facts(libraries=False),
        device=opened.device,
        request=request.as_dict(),
        **facts,
    )


def _done(resume: Path, opened: Opened) -> tuple[Record, ...]:
    """The records of a partial file, if everything is as it was."""
    header, records = read_records(resume)
    now = opened.header()
    for then, model in zip(header["models"], opened.models, strict=True):
        if then != dict(model.identity):
            raise changed(resume, f"'{model.name}' or what runs it")
    if header["listing"] != now["listing"]:
        raise changed(resume, f"the dataset in '{opened.request.data}'")
    if header["tool"] != now["tool"]:
        raise changed(resume, f"this program ({header['tool']}, now {now['tool']})")
    refuse_changed(resume, records, opened.items)
    return records


def _seldom(step: Callable[[str], None], total: int) -> Callable[[str], None]:
    """On a terminal every image moves the bar; elsewhere a line for each would drown what matters."""
    if sys.stderr.isatty():
        return step
    every = max(1, total // _LINES)
    seen = 0

    def say(name: str) -> None:
        nonlocal seen
        if seen % every == 0:
            step(f"{seen + 1} of {total}: {name}")
        seen += 1

    return say

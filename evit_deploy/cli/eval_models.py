"""The models that `evit-eval` is asked for, opened: artifacts in their runtimes, references in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from evit_deploy.benchmarks.accuracy.on_device import How, subject_on
from evit_deploy.benchmarks.accuracy.subject import Subject, opened_artifact
from evit_deploy.cli.common import Reporter
from evit_deploy.cli.eval_request import EvalRequest, graphs_of, is_artifact
from evit_deploy.devices import Device
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.runtimes import RuntimeOptions
from evit_deploy.runtimes.options import refuse_unused


def opened_models(
    request: EvalRequest, device: Device | None, reporter: Reporter, stack: ExitStack
) -> tuple[tuple[Subject, ...], Subject | None]:
    """What is evaluated, in the order of the options, and what --against names.

    Args:
        request: names them.
        device: where artifacts run, ready; `None` is this process.
        reporter: is told of warnings.
        stack: closes what is opened.

    Raises:
        UserError, SetupError: one of them cannot be opened.
    """
    subjects = [_artifact(path, request, device, stack) for path in request.artifacts]
    if request.model is not None:
        subjects.append(_reference(request.model, request.weights, request.resolution, request, reporter))
    reference = _against(request, subjects[0], device, reporter, stack)
    return _told_apart(request, subjects, reference)


def _told_apart(
    request: EvalRequest, subjects: Sequence[Subject], reference: Subject | None
) -> tuple[tuple[Subject, ...], Subject | None]:
    """Artifacts by their paths where two files have the same name: old/b1.onnx and new/b1.onnx."""
    paths = {*request.artifacts, *([request.against] if request.against is not None else [])}
    names = [Path(path).name for path in paths]
    clash = {name for name in names if names.count(name) > 1}
    given = [*request.artifacts, *[None] * (len(subjects) - len(request.artifacts))]
    apart = [
        replace(subject, name=path) if path is not None and subject.name in clash else subject
        for subject, path in zip([*subjects, reference], [*given, request.against], strict=True)
        if subject is not None
    ]
    return tuple(apart[: len(subjects)]), None if reference is None else apart[-1]


def _artifact(path: str, request: EvalRequest, device: Device | None, stack: ExitStack) -> Subject:
    options = RuntimeOptions(**(request.options or {}))
    interpreter, threads = request.interpreter, request.threads
    if device is not None:
        return subject_on(device, Path(path), How(interpreter, threads, request.cores, options))
    return stack.enter_context(
        opened_artifact(Path(path), interpreter=interpreter, threads=threads, options=options)
    )


def refuse_unused_options(request: EvalRequest) -> None:
    """Words that name no graph, and options of runtimes that none of the graphs has.

    Raises:
        UserError: there is such a word or option.
    """
    for path in request.artifacts:
        if not is_artifact(path):
            raise UserError(
                f"{path}: not an artifact (.onnx or .tflite); a reference model is named with --model",
                Exit.ARTIFACT_UNREADABLE,
            )
    if request.options:
        refuse_unused(RuntimeOptions(**request.options), [Path(path) for path in graphs_of(request)])


def _against(
    request: EvalRequest, first: Subject, device: Device | None, reporter: Reporter, stack: ExitStack
) -> Subject | None:
    if request.against is None:
        return None
    if is_artifact(request.against):
        return _artifact(request.against, request, device, stack)
    size = request.resolution or first.size
    try:
        return _reference(request.against, request.against_weights, size, request, reporter)
    except SetupError as error:
        # The advice is of commands that have one option for weights.
        advice = str(error).replace("--weights", "--against-weights")
        raise SetupError(f"--against {request.against}: {advice}", error.code) from error


def _reference(
    name: str, weights: str, size: tuple[int, int] | None, request: EvalRequest, reporter: Reporter
) -> Subject:
    """A PyTorch model; torch is imported here and nowhere before."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise SetupError(
            f"the reference '{name}' needs torch: install it with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        )
    from evit_deploy.cli.reference_subject import reference_subject

    subject, warning = reference_subject(name, weights, size, request.threads)
    if warning is not None:
        reporter.warn(warning)
    return subject

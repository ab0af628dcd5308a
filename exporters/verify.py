"""Whether a graph file computes what its reference computes: both are run on the same inputs.

The file runs in its own runtime as it will be deployed (ONNX Runtime at full optimisation, TFLite with its
default delegate); the reference is the published mathematics in PyTorch, in float64.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evit_deploy.artifact import TensorSpec
from evit_deploy.codes import decoded, encoded
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.exporters.tolerance import TOLERANCES, failure, rounding_failure
from evit_deploy.parity import Comparison, compare_outputs
from evit_deploy.runtimes import AUTO, DEFAULTS, Runner, RuntimeOptions, open_runner

Array = NDArray[Any]
# Inputs that the reference runs on side by side: each has its activations in float64.
_AT_A_TIME = 4
_QUOTED, _TELLING = 200, 20  # characters of a runtime's message; of its beginning, to know it again


@dataclass(frozen=True, slots=True)
class Check:
    """One input's outcome. `floor_db` is the SQNR of the reference's own float32 run on it.

    `rounding` is how far the reference lies from the published one, where its weights were rounded. `judged`:
    the distance counts; else only that the output is finite.
    """

    sample: str
    comparison: Comparison
    floor_db: float
    failure: str | None
    rounding: Comparison | None = None
    judged: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        figures: dict[str, Any] = {
            **self.comparison.as_dict(),
            "float32_floor_db": round(self.floor_db, 2) if math.isfinite(self.floor_db) else None,
            "failure": self.failure,
        }
        if not self.judged:
            figures["judged"] = False
        if self.rounding is not None:
            figures["weights_against_float32"] = self.rounding.as_dict()
        return figures


@dataclass(frozen=True, slots=True)
class ParityReport:
    """All inputs' outcomes in one runtime."""

    runtime: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Nothing is out of tolerance."""
        return not any(check.failure for check in self.checks)

    @property
    def worst(self) -> Check:
        """The failed check if there is one, else of those that are judged the one of the lowest SQNR."""
        return min(self.checks, key=lambda c: (c.failure is None, not c.judged, c.comparison.sqnr_db))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return {
            "runtime": self.runtime,
            "passed": self.passed,
            "samples": {check.sample: check.as_dict() for check in self.checks},
        }


class Reference:
    """A module's outputs in float64, and their float32 noise floor, computed once per input.

    Where its weights were rounded, `published` is the module as it was; `roundings` then has how far the two
    are apart, both in float64.

    Each input in one thread, as many at a time as there are cores: PyTorch's own threads would make the last
    bits depend on how many there are, and spin where the cores are shared.
    """

    def __init__(
        self, module: nn.Module, samples: Mapping[str, Tensor], published: nn.Module | None = None
    ) -> None:
        exact = copy.deepcopy(module).double()
        original = None if published is None else copy.deepcopy(published).double()
        self.samples = samples
        count = min(usable_cores(), _AT_A_TIME)
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                values = list(pool.map(partial(_values, module, exact, original), samples.values()))
            except BaseException:  # Ctrl-C above all: not before the inputs that have begun are through
                pool.shutdown(cancel_futures=True)
                raise
        named = dict(zip(samples, values, strict=True))
        self.outputs: dict[str, Array] = {name: output for name, (output, _, _) in named.items()}
        self.floors: dict[str, Comparison] = {name: floor for name, (_, floor, _) in named.items()}
        self.roundings: dict[str, Comparison] = {
            n: far for n, (_, _, far) in named.items() if far is not None
        }

    @classmethod
    def known(
        cls,
        samples: Mapping[str, Tensor],
        outputs: dict[str, Array],
        floors: dict[str, Comparison],
        roundings: dict[str, Comparison],
    ) -> Reference:
        """What was computed before, for inputs of the same names and shapes."""
        reference = cls.__new__(cls)
        reference.samples, reference.outputs = samples, outputs
        reference.floors, reference.roundings = floors, roundings
        return reference

    @property
    def gives_classes(self) -> bool:
        """Whether the outputs are class indices."""
        return all(np.issubdtype(output.dtype, np.integer) for output in self.outputs.values())


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _values(
    module: nn.Module, exact: nn.Module, original: nn.Module | None, sample: Tensor
) -> tuple[Array, Comparison, Comparison | None]:
    """The output in float64, how far that in float32 lies from it, and its distance from the original's."""
    widened = sample.double() if sample.is_floating_point() else sample
    with torch.no_grad():
        output: Array = exact(widened).numpy()
        float32 = module(sample).numpy()
        published = None if original is None else original(widened).numpy()
    floor = compare_outputs(output, float32, class_axis=None)
    return output, floor, None if published is None else _rounding(published, output)


def _rounding(published: Array, output: Array) -> Comparison:
    """Both with the classes on axis 1, or class indices."""
    classes = np.issubdtype(output.dtype, np.integer)
    return compare_outputs(published, output, class_axis=None if classes else 1)


def verify_graph(
    graph: Path,
    reference: Reference,
    *,
    precision: str,
    class_axis: int,
    ends: tuple[TensorSpec, TensorSpec] | None = None,
    interpreter: str = AUTO,
    options: RuntimeOptions = DEFAULTS,
) -> ParityReport:
    """Run a graph file on every sample of the reference and compare.

    Args:
        graph: .onnx or .tflite, with one input and one output.
        precision: a key of `TOLERANCES`.
        class_axis: of the logits.
        ends: input and output, for graphs that take or give codes.
        interpreter: which TFLite interpreter; see `open_runner`.
        options: of the runtime.

    Raises:
        UserError, SetupError: as `open_runner`.
    """
    tolerance = TOLERANCES[precision]
    classes = reference.gives_classes
    checks = []
    # LiteRT's newer interface, which float16 needs, tells stderr all that it looks for.
    quiet = captured_output() if options.fp16 else nullcontext()
    with quiet, open_runner(graph, interpreter=interpreter, options=options) as runner:
        for name, sample in reference.samples.items():
            expected = reference.outputs[name]
            try:
                output, broken = _answer(runner, sample.numpy(), ends), None
            except RuntimeError as error:  # an operator that refuses its numbers, as TFLite's int8 DIV does
                output, broken = np.full(expected.shape, np.nan), f"it does not run ({_said(error)})"
            comparison = compare_outputs(expected, output, class_axis=None if classes else class_axis)
            floor = reference.floors[name]
            rounding = reference.roundings.get(name)
            reason = broken or failure(comparison, tolerance, floor, classes=classes, sample=name)
            if rounding is not None and reason is None:
                reason = rounding_failure(rounding, tolerance, classes=classes)
            judged = name.startswith(tolerance.judged)
            checks.append(Check(name, comparison, floor.sqnr_db, reason, rounding, judged))
        runtime = f"{runner.name} {runner.version}"
    return ParityReport(runtime, tuple(checks))


def _said(error: RuntimeError) -> str:
    """What a runtime says, once: LiteRT's message has those of earlier runs in front of it."""
    text = str(error)
    again = text.find(text[:_TELLING], 1)
    return text[: again if again > 0 else _QUOTED].rstrip(".")


def _answer(runner: Runner, image: Array, ends: tuple[TensorSpec, TensorSpec] | None) -> Array:
    """The output for a sample, both as values."""
    name = runner.inputs[0].name
    if ends is None:
        (output,) = runner.run({name: image}).values()
        return output
    taken, given = ends
    (output,) = runner.run({name: encoded(image, taken.dtype, taken.quantization)}).values()
    return decoded(output, given.quantization)

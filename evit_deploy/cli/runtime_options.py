"""The options of the runtimes, for every command that runs one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from evit_deploy.runtimes import RuntimeOptions

F = TypeVar("F", bound=Callable[..., Any])

# Those of runtimes.INTERPRETERS and runtimes.options; written out since importing them would cost --help its
# quick answer.
INTERPRETERS = ("auto", "litert", "tflite_runtime", "tensorflow")
OPTIMIZATIONS = ("disabled", "basic", "extended", "all")
_SWITCH = click.Choice(("on", "off"))
_OPTIONS = (
    click.option("--ort-spinning", type=_SWITCH, help="ONNX Runtime: whether threads that wait spin."),
    click.option(
        "--ort-optimization", type=click.Choice(OPTIMIZATIONS), help="ONNX Runtime: of the graph, at load."
    ),
    click.option("--kleidiai", type=_SWITCH, help="ONNX Runtime on aarch64: Arm's kernels."),
    click.option("--xnnpack", type=_SWITCH, help="TFLite: the delegate with the fast kernels."),
    click.option("--fp16", is_flag=True, help="TFLite: force XNNPACK to compute in float16."),
)


def runtime_options(function: F) -> F:
    """Add them; read them with `runtime_options_of`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def runtime_options_of(values: dict[str, Any]) -> RuntimeOptions:
    """From the command's keywords.

    Raises:
        UserError: they exclude each other.
    """
    from evit_deploy.runtimes import RuntimeOptions

    return RuntimeOptions(
        ort_spinning=_switch(values["ort_spinning"]),
        ort_optimization=values["ort_optimization"],
        kleidiai=_switch(values["kleidiai"]),
        xnnpack=_switch(values["xnnpack"]),
        fp16=True if values["fp16"] else None,
    )


def _switch(value: str | None) -> bool | None:
    return None if value is None else value == "on"

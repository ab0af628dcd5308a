"""Where the artifacts of `evit-eval` run: in this process, or on a device, where the agent runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.accuracy.described import described
from evit_deploy.benchmarks.accuracy.on_device import ready
from evit_deploy.benchmarks.accuracy.subject import HERE
from evit_deploy.cli.common import Reporter
from evit_deploy.cli.device_choices import CORES, refuse_for_emulated
from evit_deploy.cli.eval_request import EvalRequest, graphs_of
from evit_deploy.cli.prepare import prepare_boards, prepare_emulator
from evit_deploy.devices import Device, LocalDevice, resolve
from evit_deploy.devices.base import INSTRUCTION_TIME
from evit_deploy.errors import Exit, UserError


def device_of(request: EvalRequest) -> Device | None:
    """The device on which the agent runs the artifacts, closed; `None` where this process runs them.

    Raises:
        UserError: no such device, several, or one that cannot do what the request says.
    """
    device = resolve(request.device)
    if isinstance(device, LocalDevice) and request.cores == CORES:
        return None
    if device.figure == INSTRUCTION_TIME:
        raise UserError(
            f"{device.label}: a whole board is emulated for its instruction time only; evaluate on qemu:CORE "
            "or a real device",
            Exit.DEVICE,
        )
    refuse_for_emulated([device], request.threads, request.cores)
    return device


@contextmanager
def opened_device(
    request: EvalRequest, reporter: Reporter, *, setup: bool, wait: bool
) -> Iterator[Device | None]:
    """The device of a request, ready for launches until the block ends; `None` is this process.

    Args:
        request: see `device_of`.
        reporter: is told what takes time.
        setup: whether the emulator may be set up on first use.
        wait: for whoever measures there, instead of failing.

    Raises:
        UserError: see `device_of`; or an artifact cannot be evaluated anywhere.
        SetupError: the device cannot be used.
    """
    device = device_of(request)
    if device is None:
        yield None
        return
    for path in graphs_of(request):  # before anything is set up, or a board is reached
        described(Path(path))
    prepare_emulator([device], reporter, allowed=setup)
    prepare_boards([device], reporter)
    with ready(device, reporter.say, wait=wait):
        yield device


def facts_of(device: Device | None) -> dict[str, Any]:
    """What a result says of where its artifacts ran; see `Evaluation.device`."""
    if device is None:
        return {"name": HERE, "label": HERE, "emulated": False, "facts": None}
    return {
        "name": device.name,
        "label": device.label,
        "emulated": device.emulated,
        "facts": device.facts(),
    }

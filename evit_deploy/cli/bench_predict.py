"""`evit-bench --predict PROFILE`: find the profile before anything is counted, apply it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evit_deploy.cli.common import Reporter
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.latency_profile import LatencyProfile
    from evit_deploy.benchmarks.predict import Prediction
    from evit_deploy.benchmarks.results import Result
    from evit_deploy.devices import Device


def profile_for(name: str | None, devices: Sequence[Device]) -> LatencyProfile | None:
    """The profile that `--predict` names.

    Raises:
        UserError: there is none, or nothing will be counted that it could be applied to.
    """
    if name is None:
        return None
    from evit_deploy.devices.base import COUNT

    if not any(device.figure == COUNT for device in devices):
        raise UserError(
            f"--predict {name}: predictions are made from counts: add a device that counts, such as "
            "--device qemu:cortex-a76",
            Exit.DEVICE,
        )
    from evit_deploy.benchmarks.latency_profile import find_profile

    return find_profile(name)


def add_predictions(
    result: Result, profile: LatencyProfile | None, reporter: Reporter
) -> tuple[Result, tuple[Prediction, ...]]:
    """The result with predictions under their own key, and the predictions; warns of doubtful ones."""
    if profile is None:
        return result, ()
    from evit_deploy.benchmarks.predict import predict_result

    predictions = predict_result(result, profile)
    for prediction in predictions:
        if prediction.predicted.doubts:
            reporter.warn(
                f"{prediction.artifact}: profile {profile.name} was not fitted on the like: "
                f"{'; '.join(prediction.predicted.doubts)}; the interval is widened by guess"
            )
    return replace(result, predictions=tuple(p.as_dict() for p in predictions)), predictions

"""The float32 noise floor of every reference model: what the tolerances are derived from.

    python -m evit_deploy.exporters.noise_floor
    python -m evit_deploy.exporters.noise_floor --precision fp16-weights

Each model with random weights, in float32 against float64, on every check input. With a precision that rounds
the weights, also the rounded model against the published one, both in float64.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from evit_deploy.exporters.deployable import Deployable
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.verify import Reference
from evit_deploy.models import create_model
from evit_deploy.models.zoo import CLASSIFICATION, MODELS, ModelSpec

SEGMENTATION_SIZE = (256, 512)  # the published sizes take minutes in float64 and give the same figures


@click.command()
@click.option("--precision", type=click.Choice(list(SCHEMES)), default="fp32", show_default=True)
def main(precision: str) -> None:
    """Print a line or two a model: SQNR in dB for each input, and the lowest."""
    for spec in MODELS:
        reference = _reference(spec, precision)
        _print(spec.name, {name: floor.sqnr_db for name, floor in reference.floors.items()})
        if reference.roundings:
            _print("  its weights rounded", {n: r.sqnr_db for n, r in reference.roundings.items()})


def _reference(spec: ModelSpec, precision: str) -> Reference:
    resolution = spec.resolution if spec.task == CLASSIFICATION else SEGMENTATION_SIZE
    options = ExportOptions("onnx", resolution).settled(spec)
    module = Deployable(create_model(spec.name), options)
    prepare = SCHEMES[precision].prepare
    if prepare is None:
        return Reference(module, check_inputs(options))
    rounded = Deployable(create_model(spec.name), options)
    prepare(rounded)
    return Reference(rounded, check_inputs(options), module)


def _print(name: str, levels_db: Mapping[str, float]) -> None:
    listed = "  ".join(f"{sample} {level:.1f}" for sample, level in levels_db.items())
    click.echo(f"{name:32} lowest {min(levels_db.values()):.1f} dB:  {listed}")


if __name__ == "__main__":
    main()

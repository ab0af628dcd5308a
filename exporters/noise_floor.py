"""The float32 noise floor of every reference model: what the tolerances are derived from.

    python -m evit_deploy.exporters.noise_floor

Each model with random weights, in float32 against float64, on every check input.
"""

from __future__ import annotations

import click

from evit_deploy.exporters.deployable import Deployable
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.verify import Reference
from evit_deploy.models import create_model
from evit_deploy.models.zoo import CLASSIFICATION, MODELS

SEGMENTATION_SIZE = (256, 512)  # the published sizes take minutes in float64 and give the same figures


@click.command()
def main() -> None:
    """Print one line a model: SQNR in dB for each input, and the lowest."""
    for spec in MODELS:
        resolution = spec.resolution if spec.task == CLASSIFICATION else SEGMENTATION_SIZE
        options = ExportOptions("onnx", resolution).settled(spec)
        reference = Reference(Deployable(create_model(spec.name), options), check_inputs(options))
        floors = reference.floors_db
        listed = "  ".join(f"{name} {floor:.1f}" for name, floor in floors.items())
        click.echo(f"{spec.name:32} lowest {min(floors.values()):.1f} dB:  {listed}")


if __name__ == "__main__":
    main()

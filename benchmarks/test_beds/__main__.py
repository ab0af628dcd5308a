"""Make the test beds: draw their images, train their models.

    python -m evit_deploy.benchmarks.test_beds [scenes] [digits] [--retrain] [-o FOLDER]

Prints the commands that use them. Everything is kept in the user's cache, or in FOLDER/NAME. The weights of
`scenes` come with the package; those of `digits` are too large, and are trained on first use.
"""

from __future__ import annotations

from pathlib import Path

import click

from evit_deploy.benchmarks.test_beds.beds import BEDS
from evit_deploy.benchmarks.test_beds.make import BedFiles, make_bed
from evit_deploy.benchmarks.test_beds.progress import Progress


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(BEDS)))
@click.option("--retrain", is_flag=True, help="Train even where there are weights: 20 minutes each.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER")
def main(names: tuple[str, ...], retrain: bool, output: Path | None) -> None:
    """Make those that are named, or all."""
    for name in names or BEDS:
        folder = None if output is None else output / name
        click.echo(_usage(make_bed(BEDS[name], Progress(name), retrain=retrain, folder=folder)))


def _usage(files: BedFiles) -> str:
    bed = files.bed
    height, width = bed.resolution
    shared = f"{bed.model} --weights {files.checkpoint} -r {height}x{width}"
    return (
        f"{bed.name}: {files.folder}\n"
        f"  evit-export {shared} --precision int8 --calibration {files.calibration}\n"
        f"  evit-eval ARTIFACT --data {files.data} --against {bed.model} --against-weights {files.checkpoint}"
    )


if __name__ == "__main__":
    main()

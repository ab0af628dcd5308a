"""The samples file: everything that an export was verified on, for engines that this package does not run.

    names          of the samples
    image-I        the I-th input, as the graph takes it
    output-I       the reference's output, computed in float64, kept in float32
    required_db    for each sample the SQNR that an export has to reach, from the reference's own noise floor

Where the check file is made to travel and has one input, this has all of them, and is some 50 MB at 512x1024.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import Manifest
from evit_deploy.codes import encoded
from evit_deploy.exporters.tolerance import TOLERANCES, required_sqnr_db
from evit_deploy.exporters.verify import Reference


def samples_file(reference: Reference, manifest: Manifest, precision: str) -> bytes:
    """The file's content.

    Args:
        reference: of logits; class indices have no SQNR.
        manifest: of the graph, for its input.
        precision: a key of `TOLERANCES`.
    """
    (image,) = manifest.inputs
    arrays: dict[str, NDArray[Any]] = {"names": np.array(list(reference.samples))}
    for number, (name, sample) in enumerate(reference.samples.items()):
        arrays[f"image-{number}"] = encoded(sample.numpy(), image.dtype, image.quantization)
        arrays[f"output-{number}"] = reference.outputs[name].astype(np.float32)
    tolerance = TOLERANCES[precision]
    floors = [required_sqnr_db(tolerance, reference.floors[name].sqnr_db) for name in reference.samples]
    buffer = io.BytesIO()
    np.savez(buffer, required_db=np.array(floors), allow_pickle=False, **arrays)
    return buffer.getvalue()

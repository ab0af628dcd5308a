"""What a graph is compared with.

published   the model with its own weights, between the ends asked for
reference   the same with its weights as the precision stores them
values      its outputs on every input of the verification
"""

from __future__ import annotations

from dataclasses import replace

from evit_deploy.exporters.deployable import Deployable
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.rewrites.bicubic_upsample import rewrite_bilinear
from evit_deploy.exporters.rewrites.softmax_attention import rewrite_softmax
from evit_deploy.exporters.shared_reference import in_layout, shared_options, shared_reference
from evit_deploy.exporters.verify import Reference
from evit_deploy.models import create_model


def reference_of(job: ExportJob) -> Deployable:
    """What the export is verified against: the published model, its weights as the precision stores them.

    Raises:
        ParityError: the precision cannot hold the weights.
    """
    module = published_of(job)
    if (prepare := SCHEMES[job.options.precision].prepare) is not None:
        prepare(module)
    return module


def published_of(job: ExportJob) -> Deployable:
    """The published model with its own weights, between the ends asked for.

    Bilinear upsampling and softmax attention are asked for by name and make another network, so they are in
    the reference too.
    """
    model = create_model(job.spec, weights=job.weights.state_dict)
    module = Deployable(model, job.options).eval()
    if job.options.upsample == "bilinear":
        rewrite_bilinear(module, {})
    if job.options.attention == "softmax":
        rewrite_softmax(module, {})
    return module


def reference_values(job: ExportJob) -> Reference:
    """What a graph is compared with, computed for it alone."""
    return in_layout(shared_values(job), job.options)


def shared_values(job: ExportJob) -> Reference:
    """The same in the layout that all formats share."""
    options = shared_options(job.options)
    shared = replace(job, options=options)
    rounds = SCHEMES[options.precision].prepare is not None
    published = published_of(shared) if rounds else None
    return shared_reference(reference_of(shared), options, published, job.calibration)

"""The rewritten copy of the reference, which is what is converted."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.exporters.formulations.choose import Chooser, with_choices
from evit_deploy.exporters.formulations.costs import load_table
from evit_deploy.exporters.formulations.kinds import NOT_IN_FLOAT16
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.attention_ranges import (
    AttentionRanges,
    AttentionWatch,
    context_scaling_for,
    scaling_for,
)
from evit_deploy.exporters.precision.channel_order import OrderWatch, ordering_for
from evit_deploy.exporters.precision.quantization import range_inputs
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.precision.watch import watch_inputs
from evit_deploy.exporters.rewrites import FLOAT16_PIPELINE, PIPELINES, apply_rewrites

Formulations = dict[str, dict[str, str]]  # as in `Manifest`


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A copy of the reference as it is converted.

    `fired` are the rewrites that found something to do, `formulations` what was chosen where, `ranges` what
    the attention was scaled by, `reordered` the modules whose channels are in another order inside.
    """

    module: nn.Module
    fired: tuple[str, ...]
    formulations: Formulations
    ranges: AttentionRanges
    reordered: tuple[str, ...] = ()


def rewritten_model(job: ExportJob, reference: nn.Module, example: Tensor) -> Rewritten:
    """What is converted.

    Raises:
        UserError: a table of costs cannot be read.
    """
    format, scheme = job.options.format, SCHEMES[job.options.precision]
    given = job.pipeline if job.pipeline is not None else scheme.pipelines.get(format)
    if given is not None:
        return Rewritten(*apply_rewrites(reference, example, given), {}, {})
    without = NOT_IN_FLOAT16 if scheme.float16 else ()
    chooser = Chooser(format, load_table(format, job.options.target, job.tables), without)
    pipeline, ranges, orders = PIPELINES[format], {}, {}
    if scheme.float16:
        attention, order = AttentionWatch(reference), OrderWatch(reference)
        inputs = range_inputs(job.calibration, job.options)
        watch_inputs(reference, {**attention.watches, **order.watches}, inputs)
        ranges, orders = attention.ranges, order.orders()
        first = (scaling_for(ranges), ordering_for(orders))
        pipeline = (*first, *FLOAT16_PIPELINE, context_scaling_for(ranges))
    rewritten, fired = apply_rewrites(reference, example, with_choices(pipeline, chooser))
    return Rewritten(rewritten, fired, chooser.as_dict(), ranges, tuple(orders))

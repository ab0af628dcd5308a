"""Images through every model, a chunk at a time, and the loop over all of them.

    files of a chunk -> pixels as each model takes them, labels -> every model's answers -> a record an image

Where every model runs here a chunk is one image. A model on a device takes more at once, since a launch there
takes seconds; of a chunk's images, which may be large, only what models take and the labels are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from evit_deploy.benchmarks.accuracy.dataset import SEGMENTATION, Dataset, Item
from evit_deploy.benchmarks.accuracy.images import Picture
from evit_deploy.benchmarks.accuracy.labels import coding_of
from evit_deploy.benchmarks.accuracy.outcome import (
    Map,
    MapOutcome,
    TopOutcome,
    map_outcome,
    pixel_classes,
    top_outcome,
)
from evit_deploy.benchmarks.accuracy.preprocess import fitted
from evit_deploy.benchmarks.accuracy.readied import Readied, readied
from evit_deploy.benchmarks.accuracy.records import Record
from evit_deploy.benchmarks.accuracy.subject import Array, Pixels, Subject


def examine_all(
    dataset: Dataset,
    items: Sequence[Item],
    subjects: Sequence[Subject],
    reference: Subject | None,
    append: Callable[[Record], None],
    step: Callable[[str], None],
) -> None:
    """Hand a record of every item to `append`, in order.

    Args:
        dataset: whose layout says what masks mean.
        items: those that are left to do.
        subjects: what is evaluated.
        reference: what they are compared with; its outcome comes last in each record.
        append: keeps a record.
        step: is told which image begins now.
    """
    masks = dataset.task == SEGMENTATION
    coding = coding_of(dataset.layout, subjects[0].num_classes) if masks else None
    models = (*subjects, *([] if reference is None else [reference]))
    size = min((model.chunk for model in models if model.chunk is not None), default=1)
    for start in range(0, len(items), size):
        read: list[Readied | Record] = []
        for item in items[start : start + size]:
            step(item.name)
            read.append(readied(item, models, coding))
        for record in _records(read, models, with_reference=reference is not None):
            append(record)


def _records(
    read: Sequence[Readied | Record], models: Sequence[Subject], *, with_reference: bool
) -> Iterator[Record]:
    """Have every model answer a chunk's images; the records of all, in order."""
    usable = [one for one in read if isinstance(one, Readied)]
    # A launch for nothing would be as long as any.
    answers = [model.answers([one.pixels[i] for one in usable]) for i, model in enumerate(models) if usable]
    by_image = iter(zip(*answers, strict=True))
    for one in read:
        if isinstance(one, Record):
            yield one
        else:
            yield replace(one.record, outcomes=_outcomes(one, next(by_image), models, with_reference))


def _outcomes(
    image: Readied, answers: Sequence[Array], models: Sequence[Subject], with_reference: bool
) -> tuple[TopOutcome, ...] | tuple[MapOutcome, ...]:
    if image.labels is not None:
        return _segmented(image, image.labels, answers, models, with_reference)
    label = image.record.label
    assert label is not None
    return tuple(top_outcome(scores, label) for scores in answers)


def _segmented(
    image: Readied, labels: Map, answers: Sequence[Array], models: Sequence[Subject], with_reference: bool
) -> tuple[MapOutcome, ...]:
    """The reference comes last, and is compared with nothing."""
    maps = [pixel_classes(a, image.size, m.num_classes) for a, m in zip(answers, models, strict=True)]
    expected = [maps[-1]] * (len(maps) - 1) + [None] if with_reference else [None] * len(maps)
    return tuple(
        map_outcome(labels, classes, reference, model.num_classes)
        for classes, reference, model in zip(maps, expected, models, strict=True)
    )


def scores_of(subject: Subject, pixels: Pixels) -> Array:
    """A model's logits or classes of an image of any size, (H, W, 3)."""
    (scores,) = subject.answers([fitted(pixels, subject.task, subject.size, subject.crop)])
    return scores


def classes_of(subject: Subject, picture: Picture) -> Map:
    """A segmentation model's class of every pixel, (H, W)."""
    assert subject.task == SEGMENTATION
    height, width = picture.pixels.shape[:2]
    return pixel_classes(scores_of(subject, picture.pixels), (height, width), subject.num_classes)

"""Whether models and a dataset belong together, said before the first image is read."""

from __future__ import annotations

from collections.abc import Sequence

from evit_deploy.benchmarks.accuracy.dataset import SEGMENTATION, Dataset
from evit_deploy.benchmarks.accuracy.labels import IGNORED
from evit_deploy.benchmarks.accuracy.subject import Subject
from evit_deploy.errors import Exit, UserError

_LABELS = {"classification": "a class per image", "segmentation": "a class per pixel"}


def refuse_misfits(dataset: Dataset, models: Sequence[Subject]) -> None:
    """Compare task and class count of every model with the dataset's, and with the first model's.

    Raises:
        UserError: one differs.
    """
    for model in models:
        _refuse_other_task(dataset, model)
        _refuse_other_count(dataset, model)
        if model.num_classes != models[0].num_classes:
            raise UserError(
                f"{model.name} has {model.num_classes} classes, {models[0].name} {models[0].num_classes}; "
                "evaluate them one by one",
                Exit.DATASET,
            )
        if model.task == SEGMENTATION and model.num_classes > IGNORED:
            raise UserError(
                f"{model.name} has {model.num_classes} classes, expected at most {IGNORED} (masks)",
                Exit.DATASET,
            )


def _refuse_other_task(dataset: Dataset, model: Subject) -> None:
    if model.task != dataset.task:
        wanted = _LABELS.get(model.task, "no labels of a dataset's")
        raise UserError(
            f"{model.name} is for {model.task} ({wanted}), '{dataset.root}' (layout "
            f"{dataset.layout}) has labels for {dataset.task} ({_LABELS[dataset.task]}); name another model, "
            "or a dataset with such labels",
            Exit.DATASET,
        )


def _refuse_other_count(dataset: Dataset, model: Subject) -> None:
    if dataset.num_classes not in (None, model.num_classes):
        raise UserError(
            f"class counts differ: got {dataset.num_classes} from '{dataset.root}' (layout "
            f"{dataset.layout}), {model.name} expects {model.num_classes}; list the model's classes in order "
            f"with --classes FILE, or name a model that was trained on these {dataset.num_classes}",
            Exit.DATASET,
        )

"""What is known of a model before it is built: its architecture as data, its published figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
DETECTION = "detection"
IMAGE_EMBEDDING = "image-embedding"
SUPER_RESOLUTION = "super-resolution"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Architecture(Protocol):
    """Sizes of a model as data, frozen, and the module that they stand for."""

    @property
    def task(self) -> str:
        """What the model answers: `CLASSIFICATION`, `SEGMENTATION`, `DETECTION`, ..."""
        ...

    @property
    def size_multiple(self) -> int:
        """Height and width of an image must be multiples of it."""
        ...

    @property
    def class_key(self) -> str | None:
        """Of the tensor in the state dict whose first axis has the classes; `None` where there are none."""
        ...

    def build(self, num_classes: int | None) -> nn.Module:
        """The reference with PyTorch's initial weights, in training mode."""
        ...


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model, published but where `config` says otherwise.

    `resolution` is (height, width) of the published evaluation; `macs` are counted there. `hub_files` maps
    the resolutions that have a checkpoint of their own to its file in `hub_repository`; it is empty where the
    authors have none on the hub.
    """

    name: str
    architecture: Architecture
    dataset: str
    num_classes: int | None  # `None` where the answer has no classes
    resolution: tuple[int, int]
    crop: float
    parameters: int
    macs: float
    accuracy: float | None  # top-1 or mIoU, percent; `None` where nothing is published
    hub_repository: str = ""
    hub_files: Mapping[tuple[int, int], str] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None  # of a model that a user described: see `own_config.py`
    weights_page: str = ""  # where the authors have their checkpoints, where that is not the hub
    one_size: bool = False  # of those that are compared with: takes images of `resolution` only

    @property
    def task(self) -> str:
        """What the model answers."""
        return self.architecture.task

    @property
    def short_name(self) -> str:
        """`efficientvit-b1` -> `b1`."""
        return self.name.removeprefix("efficientvit-")

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this: maps of strides 8 and 32 meet in segmentation."""
        return self.architecture.size_multiple

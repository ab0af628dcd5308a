"""A model of one's own, described in a file -> its `ModelSpec`; and any model by its name or file.

What may be described is in `own_config.py`. Such a model has no published figures: parameters and MACs are
counted, there is no accuracy and no checkpoint on the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.efficientvit import BackboneConfig
from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.efficientvit_models import EfficientViTArchitecture, large_backbone
from evit_deploy.models.heads import ClassificationHeadConfig, SegmentationHeadConfig
from evit_deploy.models.own_config import (
    CLASSIFICATION_TABLE,
    SEGMENTATION_TABLE,
    Config,
    checked,
    read_own_config,
)
from evit_deploy.models.zoo import ModelSpec, check_resolution, find_model

CONFIG_SUFFIX = ".toml"
DATASET = "own"
# 4 GB of float32 weights: four times the largest published model. An extra zero is caught here.
MOST_PARAMETERS = 1_000_000_000


def model_named(name: str) -> ModelSpec:
    """The model of a published or short name, or the one that a file, NAME.toml, describes.

    Raises:
        UserError: no model has that name, or the file describes none.
    """
    return (
        own_model(read_own_config(Path(name)), Path(name))
        if name.endswith(CONFIG_SUFFIX)
        else find_model(name)
    )


def recorded_model(name: str, config: Mapping[str, Any], where: Path) -> ModelSpec:
    """The model that a manifest names: its own description where it has one.

    Raises:
        UserError: no model has that name, or the description is of no model.
    """
    return own_model(checked(config, where), where) if config else find_model(name)


def own_model(config: Config, where: Path) -> ModelSpec:
    """The model of a complete description.

    Args:
        config: of `own_config.py`.
        where: it is from, for errors.

    Raises:
        UserError: the resolution does not suit the head, or it is larger than anybody wants.
    """
    spec = _spec(config)
    check_resolution(spec, *spec.resolution)
    parameters = count_parameters(spec)
    if parameters > MOST_PARAMETERS:
        raise UserError(
            f"{where}: a model of {parameters / 1e9:.1f} thousand million parameters, expected at most "
            f"{MOST_PARAMETERS / 1e9:g}; look at widths and depths",
            Exit.CONFIG,
        )
    return replace(spec, parameters=parameters, macs=count_macs(spec, spec.resolution))


def _spec(config: Config) -> ModelSpec:
    height, width = config["resolution"]
    return ModelSpec(
        name=f"efficientvit-own-{config['name']}",
        architecture=EfficientViTArchitecture(_backbone(config), _head(config)),
        dataset=DATASET,
        num_classes=config["classes"],
        resolution=(height, width),
        crop=float(config["crop"]),
        parameters=0,
        macs=0,
        accuracy=None,
        config=config,
    )


def _backbone(config: Config) -> BackboneConfig | LargeBackboneConfig:
    widths, depths = tuple(config["widths"]), tuple(config["depths"])
    sizes = {"dim": config["dim"], "norm_eps": float(config["norm_eps"])}
    if config["base"] == "b":
        return BackboneConfig(widths, depths, **sizes)
    return replace(large_backbone(widths, depths), **sizes)


def _head(config: Config) -> ClassificationHeadConfig | SegmentationHeadConfig:
    if (classification := config.get(CLASSIFICATION_TABLE)) is not None:
        return ClassificationHeadConfig(tuple(classification["widths"]))
    table = config[SEGMENTATION_TABLE]
    return SegmentationHeadConfig(**{**table, "final_expand": table["final_expand"] or None})

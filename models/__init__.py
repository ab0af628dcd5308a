"""EfficientViT: reference models, checkpoints, the table of published variants."""

from evit_deploy.models.create import create_model
from evit_deploy.models.weights import LoadedWeights, resolve_weights

__all__ = ["LoadedWeights", "create_model", "resolve_weights"]

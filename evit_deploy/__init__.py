"""evit-deploy: EfficientViT on ARM CPUs, exported exactly, verified and measured."""

__version__ = "0.1.0"

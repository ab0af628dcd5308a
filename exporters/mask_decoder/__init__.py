"""The mask decoder of EfficientViT-SAM as a graph of its own: prompts and an embedding in, masks out."""

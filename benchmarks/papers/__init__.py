"""What the papers claim of EfficientViT against other models, beside what is counted here."""

"""Whether float16 is safe, and whether it is the attention that limits it; the command is `__main__.py`."""

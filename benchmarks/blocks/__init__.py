"""What each block of the models needs in float16 and in int8; the command is `__main__.py`."""

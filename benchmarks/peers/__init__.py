"""The same model in other engines, beside ours: see __main__.py."""

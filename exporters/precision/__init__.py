"""How a graph's numbers are stored and computed: one scheme for each `--precision`.

See `schemes.py` for the table, docs/precision.md for what each is worth.
"""

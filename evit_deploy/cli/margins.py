"""A share as people write it on a command line: 3%, 0.03."""

from __future__ import annotations

import click


def share(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """A click callback: a number above 0 and below 1; with % behind it, of 100.

    Raises:
        click.BadParameter: it is something else.
    """
    if value is None:
        return None
    try:
        number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        number = float("nan")
    if not 0 < number < 1:
        raise click.BadParameter(f"'{value}': expected a share between 0 and 1, such as 3% or 0.03")
    return number

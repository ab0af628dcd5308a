"""`--resolution`, as of several commands."""

from __future__ import annotations

from typing import Any

import click

from evit_deploy.errors import Exit, UserError


def parse_resolution(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    """`224` or `512x1024` -> (height, width).

    Raises:
        UserError: anything else.
    """
    if value is None:
        return None
    sides = value.lower().split("x")
    try:
        numbers = [int(side) for side in sides]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers, default=0) < 1:
        raise UserError(
            f"resolution '{value}': expected a positive size such as 224, or HEIGHTxWIDTH such as 512x1024",
            Exit.RESOLUTION,
        )
    return numbers[0], numbers[-1]


resolution_option = click.option(
    "-r",
    "--resolution",
    callback=parse_resolution,
    metavar="SIZE|HxW",
    help="Input size; the published one where not given.",
)

"""Progress of long work, on stderr."""

from __future__ import annotations

import sys

import click


class Progress:
    """One line that changes on a terminal; elsewhere a line for every hundredth step."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def __call__(self, what: str) -> None:
        """Show what begins now."""
        self._count += 1
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{self._name}: {what}", nl=False, err=True)
        elif self._count % 100 == 1:
            click.echo(f"{self._name}: {what}", err=True)

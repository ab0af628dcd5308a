"""Exit codes of the commands that give a verdict: 0 pass, 1 regression, 2 no verdict, 3 inconclusive.

A CI job must be able to tell a regression from a machine that could not measure. So whatever keeps such a
command from a verdict ends it with 2, though elsewhere the same error has a code of its own; the message
still says which it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from evit_deploy.errors import EvitError, Exit

P = ParamSpec("P")


def environment_errors_exit_2(command: Callable[P, int]) -> Callable[P, int]:
    """Have all errors of a command that gives a verdict end with exit code 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except EvitError as error:
            error.code = Exit.USAGE
            raise

    return run

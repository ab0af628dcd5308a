"""Marks around a call, for the emulator's instruction counter."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

# System calls that fail everywhere and change nothing; count_instructions.c looks for them.
_BEGIN, _END = 0x524F4901, 0x524F4902
# Python 3.11 and later rewrite their own bytecode during the first runs of a line; until then marking itself
# costs more, by 600 instructions.
MARK_WARMUP = 8


def freeze_collector() -> None:
    """No garbage collection from here on."""
    gc.collect()
    gc.freeze()
    gc.disable()


def marked(call: Callable[[], None], region: int) -> None:
    """Call it inside a marked region."""
    _mark(_BEGIN, region)
    call()
    _mark(_END, region)


def nothing() -> None:
    """What is marked to learn what marking costs."""


def _mark(which: int, region: int) -> None:
    try:
        os.getpriority(which, region)
    except OSError:
        return
    raise AssertionError("the kernel accepted a mark")

"""Ctrl-C that is not lost: KeyboardInterrupt even where the code it was raised in swallows it.

before:  Ctrl-C while torch imports one of its modules: ignored, or an AttributeError somewhat later
after:   the work ends at the latest where the block does, with KeyboardInterrupt
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block where a signal's handler was called inside.

    Signals without a Python handler keep their meaning; outside the main thread nothing is done.

    Raises:
        KeyboardInterrupt: see above; in the place of whatever else the block raised.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, _noting(seen, handler))
    try:
        yield
    except Exception:
        if seen:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, handler)
    if seen:
        raise KeyboardInterrupt


def _noting(seen: list[int], handler: Any) -> Any:
    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        handler(number, frame)

    return note

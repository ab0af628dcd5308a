from __future__ import annotations

import os
import signal
import threading

import pytest

from evit_deploy.interrupts import interrupts_kept


def swallow(number: int = signal.SIGINT) -> None:
    """As some imports do."""
    try:
        os.kill(os.getpid(), number)
        signal.sigtimedwait([], 0.1)  # the handler runs here at the latest
    except KeyboardInterrupt:
        pass


def test_an_interrupt_that_is_swallowed_is_raised_at_the_end() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), interrupts_kept():
        swallow()
        reached = True
    assert reached


def test_an_interrupt_replaces_the_error_that_it_led_to() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_kept():
        swallow()
        raise AttributeError("half-imported module")


def test_an_interrupt_that_is_not_swallowed_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_kept():
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 1)


def test_without_an_interrupt_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interrupts_kept():
        pass
    with pytest.raises(ValueError, match="x"), interrupts_kept():
        raise ValueError("x")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_sigterm_with_a_handler_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_kept():
            swallow(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_cannot_handle_signals_and_need_not() -> None:
    done = []

    def work() -> None:
        with interrupts_kept():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]

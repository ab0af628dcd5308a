"""Whether heat or the power supply slowed a launch down: from its states before and after. Only decides.

A launch that was is discarded and run again: its figure is that of another machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A core's frequency, where it is measured and not set, wavers by a few percent.
FREQUENCY_TOLERANCE = 0.1
_FIRMWARE_NOW, _FIRMWARE_SINCE = 0xF, 0xF0000
_FIRMWARE_BITS = ("its voltage is too low", "its frequency is capped", "it is throttled", "it is too hot")


def throttling(launch: Mapping[str, Any]) -> list[str]:
    """Why a launch of the latency pass does not count; empty where nothing speaks against it."""
    # A native program tells nothing of the machine's state.
    before, after = launch.get("before", {}), launch.get("after", {})
    return [
        *_fallen(before.get("khz", {}), after.get("khz", {}), "runs"),
        *_fallen(before.get("limit_khz", {}), after.get("limit_khz", {}), "may run"),
        *_counted(before.get("throttle", {}), after.get("throttle", {})),
    ]


def _fallen(before: Mapping[str, int | None], after: Mapping[str, int | None], what: str) -> list[str]:
    reasons = []
    for core, khz in before.items():
        now = after.get(core)
        if khz is not None and now is not None and now < khz * (1 - FREQUENCY_TOLERANCE):
            reasons.append(f"core {core} {what} at {now / 1000:.0f} MHz, at first {khz / 1000:.0f}")
    return reasons


def _counted(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    reasons = []
    count, later = before.get("core_count"), after.get("core_count")
    if count is not None and later is not None and later > count:
        reasons.append(f"the kernel counted {later - count} throttlings")
    for name, step in after.get("cooling", {}).items():
        if step > 0:
            reasons.append(f"{name} slows it down (step {step})")
    return reasons + _firmware(before.get("firmware"), after.get("firmware"))


def _firmware(before: int | None, after: int | None) -> list[str]:
    """A Raspberry Pi's flags: those that are up now, and those that went up meanwhile."""
    if before is None or after is None:
        return []
    up = (after & _FIRMWARE_NOW) | ((after & ~before & _FIRMWARE_SINCE) >> 16)
    return [f"the firmware says that {text}" for bit, text in enumerate(_FIRMWARE_BITS) if up >> bit & 1]

"""One thing that was looked at on a device, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

OK, MEND, NOTE, UNKNOWN = "ok", "mend", "note", "unknown"

# What conditions.py reads.
Conditions = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `state`: OK; MEND, it spoils measurements; NOTE, it may, and no command mends it; UNKNOWN, it cannot be
    seen here. `found` is what there is, `why` what it does to a measurement, `command` what mends it, and
    `root` whether that needs root.
    """

    name: str
    state: str
    found: str
    why: str | None = None
    command: str | None = None
    root: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

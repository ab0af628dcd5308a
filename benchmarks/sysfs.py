"""Reading what the kernel says about the machine. Part of the agent: standard library only.

All paths hang under a root, so that a folder can stand for a machine. What cannot be read is None, never 0:
kernels differ in what they have, and some of it is for root only.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")


def read_text(path: Path) -> str | None:
    """A file's text without its end of line, or None."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None


def read_number(path: Path, base: int = 10) -> int | None:
    """A file's number, or None where there is none."""
    text = read_text(path)
    try:
        return None if text is None else int(text, base)
    except ValueError:
        return None


def core_folder(core: int, root: Path = ROOT) -> Path:
    """Where the kernel describes a core."""
    return root / f"sys/devices/system/cpu/cpu{core}"


def cpuinfo(root: Path = ROOT) -> list[dict[str, str]]:
    """/proc/cpuinfo: one mapping per paragraph, which is per processor, but for some closing remarks."""
    paragraphs = (read_text(root / "proc/cpuinfo") or "").split("\n\n")
    rows = [[line.partition(":") for line in paragraph.splitlines()] for paragraph in paragraphs]
    return [{key.strip(): value.strip() for key, _, value in lines} for lines in rows]

"""Write cpio archives of the "newc" kind, from which a Linux kernel fills its first file system.

    header: "070701" and 13 numbers of 8 hex digits; name, zero-ended; content; each padded to 4 bytes

Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Owner is root, times are 0:
equal content gives equal bytes. A device node needs no privilege here, unlike in a folder.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_MAGIC = b"070701"
_END = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A file, folder or device node; `name` has no slash in front. Folders come before what is in them."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(name: str) -> Entry:
    """A folder."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, *, executable: bool = False) -> Entry:
    """A regular file."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content)


def character_device(name: str, major: int, minor: int) -> Entry:
    """A character device."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive's bytes."""
    packed = [_packed(number, entry) for number, entry in enumerate(entries, 1)]
    return b"".join([*packed, _packed(0, Entry(_END, 0))])


def _packed(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    links, owner, group, modified = (2 if stat.S_ISDIR(entry.mode) else 1), 0, 0, 0
    fields = (number, entry.mode, owner, group, links, modified, len(entry.content))
    # Of the archive itself 0, 0; then those of a device node; then the name's length and an unused checksum.
    more = (0, 0, *entry.device, len(name), 0)
    header = _MAGIC + b"".join(b"%08X" % value for value in (*fields, *more))
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)

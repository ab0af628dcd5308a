"""A program for 64-bit ARM Linux, made without a compiler: it prints a text and ends."""

from __future__ import annotations

import struct
from pathlib import Path

_BASE, _HEADERS = 0x400000, 64 + 56
_X0, _X1, _X2, _X8 = 0, 1, 2, 8
_WRITE, _EXIT = 64, 93  # system calls of Linux on aarch64
_SVC = 0xD4000001


def write_print_program(path: Path, text: str, code: int = 0) -> Path:
    """A program that prints `text` (less than 64 KiB) to stdout and ends with `code`."""
    data = text.encode()
    count = 8
    code_size = 4 * count
    words = (
        *(_move(_X0, 1), _address(_X1, code_size - 4), _move(_X2, len(data)), _move(_X8, _WRITE), _SVC),
        *(_move(_X0, code), _move(_X8, _EXIT), _SVC),
    )
    assert len(words) == count
    body = struct.pack(f"<{count}I", *words) + data
    path.write_bytes(_headers(len(body)) + body)
    return path


def _move(register: int, value: int) -> int:
    """MOVZ Xregister, #value."""
    return 0xD2800000 | value << 5 | register


def _address(register: int, offset: int) -> int:
    """ADR Xregister, the place `offset` bytes after this instruction."""
    return 0x10000000 | (offset & 3) << 29 | (offset >> 2) << 5 | register


def _headers(body_size: int) -> bytes:
    size = _HEADERS + body_size
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    # An executable for aarch64 (183) that begins behind its headers; one segment, which may be run.
    elf = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return ident + elf + segment

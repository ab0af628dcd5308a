"""Errors that the commands print as one line, and the exit codes that go with them.

Three classes, split by who must act: `UserError` (the caller's input), `SetupError` (this machine or a
device), `ParityError` (an artifact computes something else than its reference). What went wrong in detail
is the exit code. Anything else that escapes is a bug of ours and shows its traceback.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `evit-export`, `evit-bench` and `evit-eval`; documented in docs/exit-codes.md."""

    OK = 0
    PARITY = 1  # the artifact differs from the reference; for a gate: regression
    USAGE = 2  # wrong option or argument, or an environment error that has no code of its own
    INCONCLUSIVE = 3
    UNKNOWN_MODEL = 10
    RESOLUTION = 11
    CHECKPOINT_UNREADABLE = 12
    CHECKPOINT_UNSAFE = 13
    CHECKPOINT_MISMATCH = 14
    WEIGHTS_UNAVAILABLE = 15
    OUTPUT = 16  # a file or folder that cannot be written
    CONVERSION = 17  # the exporter itself failed
    ARTIFACT_UNREADABLE = 20
    ARTIFACT_MISSING = 21
    DEVICE = 22
    RUNTIME = 23  # no usable runtime, or it failed while running
    EMULATOR = 24  # the emulator or the emulated board could not be set up, or does not boot
    IMAGE = 25  # an image that cannot be read
    MISSING_EXTRA = 26  # an optional package is not installed
    PROFILE = 27  # no such device profile, or one that cannot be read
    PAIRS = 28  # pairs of counts and latency that no profile can be fitted on
    CONFIG = 29  # evit.toml, a suite, a model's description: not TOML, or something in it is not understood
    UNREACHABLE = 30  # a board that does not answer, or does not let us in
    CONNECTION_LOST = 31  # in mid-run
    BOARD = 32  # reached, but not fit: Python, machine, disk, wheels
    BUSY = 33  # another benchmark holds the device's lock
    STORE = 34  # no store of results, a damaged one, or a newer program's
    PEERS = 37  # other engines' packages cannot be set up, or a converter of theirs fails
    DATASET = 40  # no dataset of a known layout, nothing in it to use, or not one for the model
    PROMPT = 41  # of EfficientViT-SAM: empty, outside of the image, or more than the decoder takes
    INTERRUPTED = 130


class EvitError(Exception):
    """Base of all errors that are printed as one line.

    Args:
        message: what was got, what was expected, and what to do next, in one line.
        code: the exit code of a command that fails with it.
    """

    default_code = Exit.USAGE

    def __init__(self, message: str, code: Exit | None = None) -> None:
        super().__init__(message)
        self.code = self.default_code if code is None else code


class UserError(EvitError):
    """The caller's input is at fault: another value mends it."""


class SetupError(EvitError):
    """The machine or a device is at fault: installing, connecting or freeing something mends it."""

    default_code = Exit.DEVICE


class ParityError(EvitError):
    """An artifact's outputs differ from its reference's by more than its precision allows."""

    default_code = Exit.PARITY

"""A whole emulated aarch64 machine as a process of ours: booted, reached over a port of loopback, ended.

Its clock counts instructions: 1 ns of guest time is one instruction, and where the guest sleeps, its clock
jumps to the next event. So the time that a program computes there repeats, whatever this machine is busy
with; the time that it waits for disk or network does not.

What it writes to its disk goes to a nameless file that ends with the process, and the kernel ends the process
with the thread of ours that started it, however that ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from evit_deploy.devices.link import last_line
from evit_deploy.devices.system_files import SystemFiles
from evit_deploy.devices.system_guest import LISTENING
from evit_deploy.errors import Exit, SetupError

# A program of its own, since little may be done in a fork of a process with threads: asks to be killed with
# its parent, which must still be there, and becomes QEMU. Only QEMU may find QEMU's libraries.
_LAUNCHER = """\
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
parent, libraries, *command = sys.argv[1:]
if os.getppid() == int(parent):
    os.execve(command[0], command, {**os.environ, "LD_LIBRARY_PATH": libraries})
"""
_MEMORY_MB = 2048  # taken from this machine as the guest touches it
# Booting takes five seconds on an idle machine; it may be a busy one.
_PATIENCE_S = 180
_LOOK_EVERY_S = 0.1
# All that would differ from boot to boot: where kernel and programs lie in memory.
_KERNEL_ARGUMENTS = "console=ttyAMA0 quiet panic=-1 nokaslr norandmaps"
# One instruction is 2^0 ns; a sleeping guest does not wait for our clock.
_ICOUNT = "shift=0,sleep=off"
_RTC = "base=2026-01-01T00:00:00,clock=vm"


class VirtualMachine:
    """A machine with one core; a context manager. `port` is where its sshd answers, on loopback.

    Raises:
        SetupError: it cannot be started, or does not come up.
    """

    # By this name its key is known, on whichever port it listens.
    HOST_KEY_NAME = "evit-emulated-board"

    def __init__(self, files: SystemFiles, core: str) -> None:
        self._files = files
        self._folder = Path(tempfile.mkdtemp(prefix="evit-"))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = self._start(core)
            self._await()
        except BaseException:
            self.close()
            raise

    @property
    def _console(self) -> Path:
        return self._folder / "console.log"

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def failure(self) -> str | None:
        """Why it runs no more; None while it does."""
        assert self._process is not None, "it was not started"
        code = self._process.poll()
        if code is None:
            return None
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        said = [path.read_text(errors="replace") for path in (self._console, self._folder / "stderr")]
        return f"the emulated board {how}: {last_line(''.join(said))}"

    def close(self) -> None:
        """Switch it off: nothing on it is worth a shut-down."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> VirtualMachine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, core: str) -> subprocess.Popen[bytes]:
        # QEMU may end before it makes this file, which is read all the same.
        self._console.touch()
        libraries = str(self._files.folder / "host/lib")
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), libraries]
        with (self._folder / "stderr").open("wb") as stderr:
            # A session of its own: Ctrl-C in our terminal must not end it before we have said good-bye to it.
            return subprocess.Popen(
                [*launcher, *self._command(core)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )

    def _command(self, core: str) -> list[str]:
        folder = self._files.folder
        boot = ["-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initramfs")]
        disk = f"if=none,id=disk,format=raw,snapshot=on,file={_escaped(folder / 'board.ext4')}"
        network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        return [
            *(str(folder / "host/qemu-system-aarch64"), "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-machine", "virt", "-cpu", core, "-smp", "1", "-m", str(_MEMORY_MB)),
            *("-accel", "tcg,thread=single", "-icount", _ICOUNT, "-rtc", _RTC, "-seed", "1"),
            *("-display", "none", "-serial", f"file:{_escaped(self._console)}"),
            *(*boot, "-append", _KERNEL_ARGUMENTS),
            *("-drive", disk, "-device", "virtio-blk-device,drive=disk"),
            *("-netdev", network, "-device", "virtio-net-device,netdev=net"),
        ]

    def _await(self) -> None:
        """Wait until its sshd listens."""
        end = time.monotonic() + _PATIENCE_S
        while LISTENING not in self._console.read_text(errors="replace"):
            failure = self.failure()
            if failure is None and time.monotonic() > end:
                said = last_line(self._console.read_text(errors="replace"))
                failure = f"the emulated board is not up after {_PATIENCE_S} s: {said}"
            if failure is not None:
                raise SetupError(failure, Exit.EMULATOR)
            time.sleep(_LOOK_EVERY_S)


def _free_port() -> int:
    """A port of loopback that nobody listens on now; chosen at random by the kernel, so two seldom meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _escaped(path: Path) -> str:
    """As QEMU wants a path inside a list of options."""
    return str(path).replace(",", ",,")

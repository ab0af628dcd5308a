"""The file systems of the emulated board: the first one as a cpio archive, the disk as an ext4 image."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from evit_deploy.artifact import to_json
from evit_deploy.devices import cpio
from evit_deploy.devices import system_guest as guest
from evit_deploy.devices.board_python import BoardPython
from evit_deploy.devices.board_wheels import Say, Wheels, fetch_wheels
from evit_deploy.devices.debian import run_tool
from evit_deploy.devices.emulator import GUEST_PYTHON
from evit_deploy.devices.kernel_modules import in_loading_order

# As the board's Python will describe itself (Debian 12), so that the wheels here are those it is given later.
_LIBC = ("glibc", "2.36")
# Sparse: what is not used takes no room here. Graphs are copied to it, and lost with each run.
_DISK_SIZE = "4G"
# Any fixed one: equal content must give equal disks.
_DISK_ID = "65766974-0000-4000-8000-000000000000"


def fetch_guest_wheels(say: Say) -> Wheels:
    """numpy and the runtimes for the board's Python.

    Raises:
        SetupError: see `fetch_wheels`.
    """
    major, minor = map(int, GUEST_PYTHON.split("."))
    return fetch_wheels(BoardPython("", "cpython", (major, minor, 0), _LIBC), say)


def make_initramfs(unpacked: Path, target: Path) -> None:
    """Write the kernel's first file system.

    Args:
        unpacked: has kernel/ and root/, unpacked packages.
        target: the file.

    Raises:
        SetupError: the kernel lacks a module.
    """
    modules = in_loading_order(guest.MODULES, unpacked / "kernel")
    folders = [cpio.folder(name) for name in ("dev", "disk", "modules")]
    busybox = (unpacked / "root/bin/busybox").read_bytes()
    entries = [
        *folders,
        cpio.character_device("dev/console", 5, 1),
        cpio.file("busybox", busybox, executable=True),
        cpio.file("init", guest.INITRAMFS_INIT.encode(), executable=True),
        # Numbered, since init takes them by name.
        *(cpio.file(f"modules/{n:02d}-{path.name}", path.read_bytes()) for n, path in enumerate(modules)),
    ]
    target.write_bytes(cpio.archive(entries))


def make_root(root: Path, keys: Path, wheels: Wheels) -> None:
    """Turn unpacked packages into a root that boots.

    Args:
        root: the packages' files.
        keys: has key.pub and host_key, of which the latter moves into the root.
        wheels: become the private environment that board.py looks for.
    """
    for name in ("dev", "proc", "sys", "tmp", "run", "root", "sbin"):
        (root / name).mkdir(exist_ok=True)
    for applet in guest.APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "usr/bin/python3").symlink_to(f"python{GUEST_PYTHON}")
    (root / "sbin/init").write_text(guest.INIT)
    (root / "sbin/init").chmod(0o755)
    settings = {"passwd": guest.PASSWD, "group": guest.GROUP, "nsswitch.conf": guest.NSSWITCH}
    for name, text in {**settings, "ssh/sshd_config": guest.SSHD_CONFIG}.items():
        (root / "etc" / name).parent.mkdir(exist_ok=True)
        (root / "etc" / name).write_text(text)
    shutil.move(keys / "host_key", root / "etc/ssh/host_key")
    shutil.copyfile(keys / "key.pub", root / "etc/ssh/authorized_keys")
    _make_environment(root / "root/.cache/evit-deploy/environments" / wheels.key, wheels)


def _make_environment(folder: Path, wheels: Wheels) -> None:
    """As the keeper makes one of wheels that it is sent (on_board.py)."""
    for wheel in wheels.sha256:
        with zipfile.ZipFile(wheels.folder / wheel) as archive:
            archive.extractall(folder)
    (folder / "stamp.json").write_bytes(to_json(wheels.sha256))


def make_disk(mke2fs: str, root: Path, target: Path) -> None:
    """Write a folder as an ext4 image.

    Without a journal, and with nothing left to be initialised later: both would work in the background.

    Raises:
        SetupError: it failed.
    """
    options = f"lazy_itable_init=0,root_owner=0:0,hash_seed={_DISK_ID}"
    command = [mke2fs, "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", options, "-U", _DISK_ID]
    run_tool([*command, "-d", str(root), str(target), _DISK_SIZE], "writing the board's disk")

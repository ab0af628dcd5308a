"""Make the emulated board: fetch, unpack, lay out its disk, boot it once, and only then put it in its place.

Needs no root: the disk is written by `mke2fs -d`, the first file system by cpio.py. As with the emulator (see
emulator_setup.py) all work is done in a folder beside the final one, which is renamed at the end.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from evit_deploy.artifact import to_json
from evit_deploy.devices.debian import PackageSource, find_mirror, require_tools, run_tool, unpack
from evit_deploy.devices.emulator import DEFAULT_CORE
from evit_deploy.devices.emulator_setup import Say, exclusive, fetch_qemu, put_in_place, require_pip
from evit_deploy.devices.system_files import (
    GUEST_PACKAGES,
    HOST_PACKAGES,
    KERNEL,
    SystemFiles,
    find_system,
    home_folder,
    system_folder,
)
from evit_deploy.devices.system_image import fetch_guest_wheels, make_disk, make_initramfs, make_root
from evit_deploy.devices.virtual_machine import VirtualMachine

# Where mke2fs lies, which is on an administrator's PATH only.
_SYSTEM_PROGRAMS = ("/usr/sbin", "/sbin")
DOWNLOAD_MB = 130
DISK_MB = 360


def set_up_system(say: Say, mirror: str | None = None) -> SystemFiles:
    """The emulated board, made if it is not there yet.

    Args:
        say: is told each step as it begins.
        mirror: a Debian mirror's URL; see `find_mirror`.

    Raises:
        SetupError: something that it needs is missing or cannot be fetched.
    """
    with exclusive(home_folder(), say):
        ready = find_system()
        if ready is not None:
            return ready
        require_tools("apt-get", "apt-config", "apt-cache", "dpkg", "dpkg-deb", "ssh-keygen", _mke2fs())
        require_pip()
        return _build(say, find_mirror(mirror))


def _build(say: Say, mirror: str) -> SystemFiles:
    with put_in_place(system_folder(), "the emulated board") as work:
        stamp = _parts(work, mirror, say)
        say("booting it once")
        with VirtualMachine(SystemFiles(work), DEFAULT_CORE):
            pass
        (work / "stamp.json").write_bytes(to_json(stamp))
    return SystemFiles(system_folder())


def _parts(work: Path, mirror: str, say: Say) -> dict[str, list[str]]:
    """All files of the board into `work`; the value says of which packages and wheels they are."""
    say("fetching qemu-system-arm")
    host = fetch_qemu("qemu-system-aarch64", HOST_PACKAGES, work, mirror, backports=True)
    say("fetching a kernel, Python and sshd for aarch64")
    source = PackageSource(work / "download/apt-guest", "arm64", mirror)
    kernel = _kernel(source, work)
    guest = source.fetch(GUEST_PACKAGES, work / "download/guest")
    for package in guest:
        unpack(package, work / "download/root")
    wheels = fetch_guest_wheels(say)
    say("writing the board's disk")
    _make_keys(work)
    make_initramfs(work / "download", work / "initramfs")
    make_root(work / "download/root", work, wheels)
    make_disk(_mke2fs(), work / "download/root", work / "board.ext4")
    return {
        "host": host,
        "guest": [package.stem for package in (*kernel, *guest)],
        "wheels": sorted(wheels.sha256),
    }


def _kernel(source: PackageSource, work: Path) -> list[Path]:
    """The kernel as vmlinuz, its modules into download/kernel/; the value is its package."""
    # The package that is asked for only names the present one.
    (name,) = (found for found in source.depends(KERNEL) if found.startswith("linux-image-"))
    packages = source.fetch([name], work / "download/kernel-package")
    unpack(packages[0], work / "download/kernel")
    (image,) = (work / "download/kernel/boot").glob("vmlinuz-*")
    shutil.move(image, work / "vmlinuz")
    return packages


def _make_keys(work: Path) -> None:
    """Two key pairs: ours to log in with, and the board's own, by which it is known."""
    for name in ("key", "host_key"):
        generate = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "evit-deploy",
            "-f",
            str(work / name),
        ]
        run_tool(generate, "making a key")
    public = (work / "host_key.pub").read_text(encoding="utf-8")
    (work / "known_hosts").write_text(f"{VirtualMachine.HOST_KEY_NAME} {public}", encoding="utf-8")


def _mke2fs() -> str:
    path = os.pathsep.join((os.environ.get("PATH", ""), *_SYSTEM_PROGRAMS))
    return shutil.which("mke2fs", path=path) or "mke2fs"

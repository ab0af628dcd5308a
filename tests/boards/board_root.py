"""An aarch64 Debian tree with sshd, adbd and Python, and a static QEMU to run it: what the tests' boards are.

Built once into the user's cache, as the emulator is, and never written to afterwards: a board started from it
has what changes in file systems of its own. No root is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from pathlib import Path

from evit_deploy.devices.debian import KEYRING, PackageSource, find_mirror, run_tool, unpack
from evit_deploy.devices.emulator import cache_folder

LAYOUT = 2
# libfaketime gives a board another clock; the rest is what a small Debian board has.
PACKAGES = (
    *("openssh-server", "openssh-sftp-server", "python3-minimal", "libpython3.11-stdlib", "libstdc++6"),
    *("libgomp1", "dash", "coreutils", "procps", "libfaketime"),
)
BACKPORTS = "bookworm-backports"
# Debian 12 itself has no adbd; what it links must come from where it does.
ADB_PACKAGES = tuple(
    f"{name}/{BACKPORTS}"
    for name in ("adbd", "android-libbase", "android-libboringssl", "android-libcutils", "android-liblog")
)
# The QEMU 7.2 of Debian 12 shows its guest the host's /proc/cpuinfo, over which ONNX Runtime crashes.
QEMU_PACKAGE = f"qemu-user/{BACKPORTS}"


def board_root() -> Path:
    """The folder with root/ and qemu-aarch64, made if it is not there yet."""
    key = hashlib.sha256(json.dumps([LAYOUT, PACKAGES, ADB_PACKAGES, QEMU_PACKAGE]).encode()).hexdigest()[:16]
    home = cache_folder().with_name("test-boards")
    home.mkdir(parents=True, exist_ok=True)
    final = home / key
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.is_dir():
            work = home / f".building-{key}"
            shutil.rmtree(work, ignore_errors=True)
            _build(work)
            work.rename(final)
    return final


def _build(work: Path) -> None:
    mirror = find_mirror()
    _fetch_qemu(work, mirror)
    _fetch_root(work, mirror)
    shutil.rmtree(work / "download")


def _fetch_qemu(work: Path, mirror: str) -> None:
    architecture = run_tool(["dpkg", "--print-architecture"], "asking dpkg").strip()
    apt = work / "download/apt-host"
    source = _with_backports(PackageSource(apt, architecture, mirror), apt, mirror)
    (package,) = source.fetch([QEMU_PACKAGE], work / "download/host")
    unpack(package, work / "download/host/unpacked")
    shutil.move(work / "download/host/unpacked/usr/bin/qemu-aarch64", work / "qemu-aarch64")


def _with_backports(source: PackageSource, apt: Path, mirror: str) -> PackageSource:
    with (apt / "etc/apt/sources.list").open("a") as sources:
        sources.write(f"deb [signed-by={KEYRING}] {mirror} {BACKPORTS} main\n")
    run_tool(["apt-get", "-qq", "update"], "fetching package lists", APT_CONFIG=str(apt / "apt.conf"))
    return source


def _fetch_root(work: Path, mirror: str) -> None:
    apt, root = work / "download/apt-board", work / "root"
    source = _with_backports(PackageSource(apt, "arm64", mirror), apt, mirror)
    plan = ["apt-get", "install", "--simulate", "--no-install-recommends", *PACKAGES, *ADB_PACKAGES]
    lines = run_tool(plan, "solving dependencies", APT_CONFIG=str(apt / "apt.conf")).splitlines()
    # Inst NAME (VERSION SUITE [ARCHITECTURE])
    chosen = [line.split() for line in lines if line.startswith("Inst ")]
    exact = [f"{words[1]}={words[2].lstrip('(')}" for words in chosen]
    for package in source.fetch(exact, work / "download/board"):
        unpack(package, work / "unpacked")
    # As on an installed system: /bin and its kind are links into /usr.
    (work / "unpacked/usr").rename(_made(root) / "usr")
    for name in ("bin", "sbin", "lib"):
        if (work / "unpacked" / name).is_dir():
            shutil.copytree(work / "unpacked" / name, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("dev", "proc", "sys", "tmp", "root", "run/sshd", "var/empty", "data"):
        (root / name).mkdir(parents=True)
    _configure(root, work / "unpacked/etc")
    shutil.rmtree(work / "unpacked")


def _configure(root: Path, packaged: Path) -> None:
    """What the packages' scripts would have done."""
    shutil.copytree(packaged, root / "etc", symlinks=True)
    (root / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        "board:x:1000:1000::/tmp/home:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\nboard:x:1000:\nnogroup:x:65534:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    for name, target in (("python3", "python3.11"), ("sh", "dash")):
        link = root / "usr/bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder

"""The emulated board in the user's cache: where it lies and what it consists of.

    <cache>/qemu-system/<key>/host/         qemu-system-aarch64 and the libraries it needs
                              vmlinuz       Debian's arm64 kernel for virtual machines
                              initramfs     its first file system: busybox and the modules for the disk
                              board.ext4    the disk: Python, sshd, and the private environment of board.py
                              key           what logs in there; made for this folder, like the host's key
                              known_hosts   the board's own key, which is therefore known beforehand
                              stamp.json    written last: the versions of all parts

The key is a hash of all that decides the content, so that a change of any part makes a new folder.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.devices import system_guest
from evit_deploy.devices.debian import BACKPORTS
from evit_deploy.devices.emulator import GUEST_PYTHON, cache_folder, wanted_wheels

# Raise it when the layout above or the way it is made changes.
LAYOUT = 1
KERNEL = "linux-image-cloud-arm64"
# QEMU 10.0 knows the newer cores. These three are one version; the rest is what they are linked with.
HOST_PACKAGES = (
    *(f"{name}/{BACKPORTS}" for name in ("qemu-system-arm", "qemu-system-common")),
    *("libaio1", "libblkid1", "libbpf1", "libcapstone4", "libdaxctl1", "libelf1", "libfdt1", "libffi8"),
    *("libfuse3-3", "libglib2.0-0", "libgmp10", "libgnutls30", "libhogweed6", "libibverbs1", "libidn2-0"),
    *("libjpeg62-turbo", "libkmod2", "liblzma5", "libmount1", "libndctl6", "libnettle8", "libnl-3-200"),
    *("libnl-route-3-200", "libnuma1", "libp11-kit0", "libpcre2-8-0", "libpixman-1-0", "libpmem1"),
    *("libpng16-16", "librdmacm1", "libsasl2-2", "libseccomp2", "libselinux1", "libslirp0", "libssl3"),
    *("libtasn1-6", "libudev1", "libunistring2", "liburing2", "libuuid1", "libvdeplug2", "libzstd1"),
    "zlib1g",
)
GUEST_PACKAGES = (
    *(f"python{GUEST_PYTHON}-minimal", f"libpython{GUEST_PYTHON}-minimal", f"libpython{GUEST_PYTHON}-stdlib"),
    *("libc6", "libgcc-s1", "libstdc++6", "libgomp1", "zlib1g", "libbz2-1.0", "liblzma5", "libexpat1"),
    *("libffi8", "libssl3", "libcrypt1", "libuuid1", "libsqlite3-0", "media-types", "busybox-static"),
    # sshd, and what it is linked with.
    *("openssh-server", "libaudit1", "libcap-ng0", "libcap2", "libcom-err2", "libgcrypt20", "libgpg-error0"),
    *("libgssapi-krb5-2", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "liblz4-1"),
    *("libnsl2", "libpam0g", "libpcre2-8-0", "libselinux1", "libsystemd0", "libtirpc3", "libwrap0"),
    "libzstd1",
)


@dataclass(frozen=True)
class SystemFiles:
    """A finished emulated board; one image serves all cores."""

    folder: Path

    @property
    def stamp(self) -> dict[str, Any]:
        """The versions of all parts."""
        stamp: dict[str, Any] = json.loads((self.folder / "stamp.json").read_text(encoding="utf-8"))
        return stamp


def home_folder() -> Path:
    """Where emulated boards are kept, beside the emulators of single programs."""
    return cache_folder().with_name("qemu-system")


def system_folder() -> Path:
    """Where the emulated board for this program and these runtimes lies, or will lie."""
    parts = [LAYOUT, KERNEL, HOST_PACKAGES, GUEST_PACKAGES, dict(wanted_wheels()), system_guest.content()]
    return home_folder() / hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def find_system() -> SystemFiles | None:
    """The finished emulated board, or None where it is not set up."""
    folder = system_folder()
    return SystemFiles(folder) if (folder / "stamp.json").is_file() else None

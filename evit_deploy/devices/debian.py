"""Debian 12 packages of any architecture, fetched without root and without touching this machine's own apt.

`apt-get` is given a private root (lists, cache, status, sources), so nothing is installed and nothing shared.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from evit_deploy.devices.child import run_child
from evit_deploy.errors import Exit, SetupError

RELEASE = "bookworm"
BACKPORTS = f"{RELEASE}-backports"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "EVIT_DEBIAN_MIRROR"


def require_tools(*names: str) -> None:
    """Check that programs are installed.

    Raises:
        SetupError: they are not; all that are missing are named.
    """
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise SetupError(
            f"the emulator cannot be set up without {', '.join(missing)}; on Debian or Ubuntu install "
            "them with 'sudo apt-get install apt dpkg gcc libc6-dev'",
            Exit.EMULATOR,
        )


def run_tool(command: Sequence[str], what: str, *, folder: Path | None = None, **variables: str) -> str:
    """Run a program of the set-up and return what it printed.

    Raises:
        SetupError: it failed; the message has the last line that it wrote to stderr.
    """
    done = run_child(command, environment={**os.environ, **variables}, folder=folder)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise SetupError(f"setting up the emulator: {what} failed: {lines[-1][:300]}", Exit.EMULATOR)
    return done.stdout.decode(errors="replace")


def find_mirror(given: str | None = None) -> str:
    """The Debian mirror to use: the one given, else EVIT_DEBIAN_MIRROR, else the one this machine uses.

    Security updates are expected beside it, at the same URL with "-security" at the end, as Debian has them.

    Raises:
        SetupError: none is given and this machine has no Debian sources.
    """
    chosen = given or os.environ.get(MIRROR_VARIABLE)
    if not chosen:
        request = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]
        rows = [line.split(maxsplit=1) for line in run_tool(request, "reading the apt sources").splitlines()]
        # The label is known only after an `apt-get update`; the path is a Debian mirror's by convention.
        found = [row[0] for row in rows if row[1:] == ["Debian"] or row[0].rstrip("/").endswith("/debian")]
        chosen = found[0] if found else None
    if not chosen:
        raise SetupError(
            "this machine's apt sources have no Debian mirror; name one with --mirror URL or "
            f"{MIRROR_VARIABLE}=URL",
            Exit.EMULATOR,
        )
    return chosen.rstrip("/")


class PackageSource:
    """Packages of one architecture.

    With `backports` also newer versions, of which one is taken where it is asked for: "NAME/BACKPORTS".
    """

    def __init__(self, root: Path, architecture: str, mirror: str, *, backports: bool = False) -> None:
        self._root = root
        self._config = root / "apt.conf"
        suites = {RELEASE: mirror, f"{RELEASE}-security": f"{mirror}-security"}
        self._write(architecture, {**suites, BACKPORTS: mirror} if backports else suites)
        run_tool(["apt-get", "-qq", "update"], "fetching package lists", APT_CONFIG=str(self._config))

    def fetch(self, names: Sequence[str], folder: Path) -> list[Path]:
        """Download packages (not what they depend on) into `folder`.

        Raises:
            SetupError: one cannot be had.
        """
        folder.mkdir(parents=True)
        command = ["apt-get", "-qq", "download", *names]
        run_tool(command, "fetching packages", folder=folder, APT_CONFIG=str(self._config))
        return sorted(folder.glob("*.deb"))

    def depends(self, name: str) -> list[str]:
        """What a package depends on, by name."""
        said = run_tool(["apt-cache", "depends", name], "reading package lists", APT_CONFIG=str(self._config))
        rows = [line.split(": ", 1) for line in said.splitlines()]
        return [row[1] for row in rows if row[0].strip() == "Depends"]

    def _write(self, architecture: str, suites: Mapping[str, str]) -> None:
        """The private root: apt's folders, its sources (suite -> mirror) and its settings."""
        if not KEYRING.is_file():
            raise SetupError(
                f"{KEYRING} is missing, so Debian packages cannot be verified; install it with 'sudo "
                "apt-get install debian-archive-keyring'",
                Exit.EMULATOR,
            )
        for part in (
            "etc/apt",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg",
        ):
            (self._root / part).mkdir(parents=True)
        status = self._root / "var/lib/dpkg/status"
        status.touch()
        sources = "".join(f"deb [signed-by={KEYRING}] {uri} {suite} main\n" for suite, uri in suites.items())
        (self._root / "etc/apt/sources.list").write_text(sources)
        settings = [
            f'Dir "{self._root}";',
            f'Dir::State::status "{status}";',
            f'APT::Architecture "{architecture}";',
            f'APT::Architectures {{ "{architecture}"; }};',
            'Acquire::Languages "none";',
            'APT::Sandbox::User "";',
            *_network_settings(),
        ]
        self._config.write_text("\n".join(settings) + "\n")


def unpack(package: Path, folder: Path) -> None:
    """Unpack a package's files into `folder`, running none of its scripts."""
    run_tool(["dpkg-deb", "-x", str(package), str(folder)], f"unpacking {package.name}")


def _network_settings() -> list[str]:
    """This machine's own proxy settings for apt, which a private root would otherwise lose."""
    dump = run_tool(["apt-config", "dump"], "reading apt's settings").splitlines()
    return [line for line in dump if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Retries"))]

"""Pack the agent and what it imports into one file, byte for byte the same wherever it is made.

A zip archive that Python runs as it is. Stored, not compressed: deflate's output depends on the zlib at hand.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import evit_deploy
from evit_deploy import benchmarks, runtimes

_MAIN = "import sys\nfrom evit_deploy.benchmarks.{agent} import main\nsys.exit(main(sys.argv[1:]))\n"
_BENCHMARKS = (
    "__init__",
    "agent",
    "answers",
    "clusters",
    "conditions",
    "cores",
    "environment",
    "hardware",
    "marking",
    "operator_passes",
    "parts",
    "passes",
    "raw_tensors",
    "samples",
    "software",
    "state",
    "sysfs",
)
_TOP = ("__init__", "artifact", "codes", "errors", "lock", "parity")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can say


@dataclass(frozen=True)
class Bundle:
    """The agent's file."""

    content: bytes

    @property
    def sha256(self) -> str:
        """Hex digest; recorded in every result, so that results of different agents are told apart."""
        return hashlib.sha256(self.content).hexdigest()


def bundle_agent(agent: str = "agent", more: Sequence[str] = ()) -> Bundle:
    """Pack the agent that belongs to this program.

    Args:
        agent: the module whose `main` it is; another one of `more` makes an agent that can do more.
        more: modules below `benchmarks` besides those of the agent, such as "peers.agent".
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(_contents(agent, more).items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return Bundle(buffer.getvalue())


def _contents(agent: str, more: Sequence[str]) -> dict[str, bytes]:
    """Name in the archive -> content."""
    top = _folder(evit_deploy.__file__)
    files = {f"evit_deploy/{name}.py": top / f"{name}.py" for name in _TOP}
    files |= {f"evit_deploy/runtimes/{p.name}": p for p in _folder(runtimes.__file__).glob("*.py")}
    own = _folder(benchmarks.__file__)
    parts = [name.replace(".", "/") for name in (*_BENCHMARKS, *more)]
    files |= {f"evit_deploy/benchmarks/{name}.py": own / f"{name}.py" for name in parts}
    main = _MAIN.format(agent=agent).encode()
    return {"__main__.py": main, **{name: path.read_bytes() for name, path in files.items()}}


def _folder(file: str | None) -> Path:
    assert file is not None, "packages of ours are regular ones"
    return Path(file).parent

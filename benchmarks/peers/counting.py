"""Instructions of an inference in an engine on an emulated core; counted once for graph and environment.

    <cache>/peers/counts/<key>.json    instructions by class, and parity on aarch64

The key has the exported file, not what a converter made of it: MNN's is another one each time it is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.artifact import sha256_of, to_json, write_atomically
from evit_deploy.benchmarks.measure import install_agent
from evit_deploy.benchmarks.peers.contestants import Contestant
from evit_deploy.benchmarks.peers.devices import PeersCore, peers_agent
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.benchmarks.peers.graphs import Say
from evit_deploy.benchmarks.summary import inference_counts
from evit_deploy.devices.emulator import cache_folder, emulator_folder
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.errors import EvitError

# Raise it when an inference is marked in another way.
_VERSION = 1


def count(contestant: Contestant, core: str, environment: PeersEnvironment, say: Say) -> dict[str, Any]:
    """`classes` (instructions by class) and `parity` (with the reference, on the check file), or `failed`."""
    path = _path(contestant, core, environment)
    if path.is_file():
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return known
    say(f"counting {contestant.name} on {core}")
    counted = _counted(contestant, core, environment)
    if "failed" not in counted:
        write_atomically(path, to_json(counted))
    return counted


def _counted(contestant: Contestant, core: str, environment: PeersEnvironment) -> dict[str, Any]:
    with PeersCore(core, environment) if contestant.peer else QemuDevice(core) as device:
        install_agent(peers_agent(), device)
        try:
            result: Mapping[str, Any] = device.run_agent({**contestant.job(device), "mode": "count"})
        except EvitError as error:
            return {"failed": str(error)}
    return {"classes": inference_counts(result["counts"]), "parity": result["parity"]}


def _path(contestant: Contestant, core: str, environment: PeersEnvironment) -> Path:
    place = environment.folder.name if contestant.peer else emulator_folder().name
    parts = [str(_VERSION), contestant.engine, core, place, sha256_of(contestant.graph.path)]
    key = hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]
    return cache_folder().with_name("peers") / "counts" / f"{key}.json"

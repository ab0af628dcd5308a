"""Instructions of artifacts on emulated cores, kept in the user's cache: a file is counted once for a core.

    <cache>/counts/<key>.json    {class: instructions}

The key is a hash of the graph, its samples, the agent, the emulator and the core: whatever decides a count.
Counts of one file were seen to differ by up to 0.02 % between launches, so a total that is near a limit is
taken again: `again`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from evit_deploy.artifact import check_path, format_of, sha256_of, to_json, write_atomically
from evit_deploy.benchmarks.bundle import Bundle, bundle_agent
from evit_deploy.benchmarks.gate.facts import Counted
from evit_deploy.benchmarks.measure import Plan, install_agent
from evit_deploy.benchmarks.plan import job_of
from evit_deploy.benchmarks.rounds import Say
from evit_deploy.benchmarks.summary import inference_counts
from evit_deploy.devices import Device
from evit_deploy.devices.emulator import PLUGIN_SOURCE, cache_folder, emulator_folder

Classes = Mapping[str, int]
# Of the emulator's parts, those that decide what a runtime executes, or how it is counted.
_DECIDING = ("qemu-user", "libc6", "libstdc++6", "python3.11-minimal")
_WHEELS = {"onnx": "onnxruntime", "tflite": "ai_edge_litert"}


def count(paths: Sequence[Path], device: Device, say: Say, *, again: bool = False) -> dict[Path, Counted]:
    """Count one inference of each graph; the device is opened and closed here if anything is to be counted.

    Args:
        paths: graph files.
        device: an emulated one, closed.
        say: is told each launch as it begins.
        again: also what the cache knows; of the old and the new count the smaller one is kept, as what other
            processes do to a launch can only add instructions.

    Raises:
        UserError, SetupError: a graph cannot be run, or the emulator is not set up.
    """
    agent = bundle_agent()
    files = {path: _file(path, agent, device) for path in paths}
    missing = [path for path, file in files.items() if again or not file.is_file()]
    if missing:
        _launch(missing, files, device, agent, say)
    return {path: Counted(_read(file), environment(format_of(path))) for path, file in files.items()}


def environment(format: str) -> dict[str, str]:
    """What must be alike for two counts of a format to be compared: the runtime, libraries, the counter."""
    file = emulator_folder() / "stamp.json"
    stamp = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    counter = hashlib.sha256(PLUGIN_SOURCE.read_bytes()).hexdigest()[:12]
    return {**environment_of(stamp, format), "counter": counter}


def environment_of(stamp: Mapping[str, Any], format: str) -> dict[str, str]:
    """The part of it that an emulator's stamp knows."""
    packages = dict(name.split("_", 1) for kind in ("host", "guest") for name in stamp.get(kind, ()))
    chosen = {name: unquote(packages[name].rpartition("_")[0]) for name in _DECIDING if name in packages}
    wheels = [re.split(r"-(?=\d)", wheel, maxsplit=1) for wheel in stamp.get("wheels", ())]
    versions = {name: rest.partition("-")[0] for name, rest in wheels if name == _WHEELS[format]}
    return {**chosen, **versions}


def _launch(
    paths: Sequence[Path], files: Mapping[Path, Path], device: Device, agent: Bundle, say: Say
) -> None:
    with device:
        install_agent(agent, device)
        for path in paths:
            say(f"{path.name} on {device.label}")
            result = device.run_agent({**job_of(device, path, Plan()), "mode": "count"})
            _keep(files[path], inference_counts(result["counts"]))


def _keep(file: Path, classes: Classes) -> None:
    known = _read(file) if file.is_file() else classes
    write_atomically(file, to_json(min(known, classes, key=lambda c: sum(c.values()))))


def _read(file: Path) -> dict[str, int]:
    classes: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return classes


def _file(path: Path, agent: Bundle, device: Device) -> Path:
    check = check_path(path)
    parts: list[Any] = [sha256_of(path), sha256_of(check) if check.is_file() else None]
    parts += [agent.sha256, emulator_folder().name, device.name]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return cache_folder().parent / "counts" / f"{key}.json"

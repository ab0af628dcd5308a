"""Names for devices, in TOML: `evit.toml` of the project, and a file of the user's own.

    [defaults]
    arm-cpu = "pi5"                  # what --device arm-cpu means

    [devices.pi5]
    target = "ssh://pi@pi5.local"    # anything that --device takes, but no other name from such a file
    cores = "big"
    threads = 4

The project's file is looked for in the working folder and its parents, up to the root of the repository.
Where both files have a name, the project's stands. What is not understood is an error, never passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.errors import UserError
from evit_deploy.toml_files import nearest, read_toml, toml_error

PROJECT_FILE = "evit.toml"
CONFIG_VARIABLE = "EVIT_CONFIG"
_DEVICES, _DEFAULTS, _ARM_CPU = "devices", "defaults", "arm-cpu"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_KINDS: Mapping[type, str] = {
    str: "a string",
    int: "a whole number",
    list: "a list of strings",
    dict: "a table",
}


@dataclass(frozen=True)
class DeviceEntry:
    """A table `[devices.NAME]`. `None` means that the file does not say."""

    name: str
    target: str
    file: Path
    cores: str | None = None
    threads: int | None = None
    environment: str | None = None
    python: str | None = None
    native_runner: str | None = None
    ssh_options: tuple[str, ...] | None = None


# Key -> type of its value; the fields above but for a hyphen.
_KEYS: Mapping[str, type] = {
    "target": str,
    "cores": str,
    "threads": int,
    "environment": str,
    "python": str,
    "native-runner": str,
    "ssh-options": list,
}


@dataclass(frozen=True)
class Config:
    """What the files say. `arm_cpu` is the name that arm-cpu stands for, None where no file has one."""

    devices: Mapping[str, DeviceEntry] = field(default_factory=dict)
    arm_cpu: str | None = None


def load_config(folder: Path | None = None) -> Config:
    """What the files say that hold in a folder; None is the working folder.

    Raises:
        UserError: a file cannot be read, or has something in it that is not understood.
    """
    configs = [read_config(file) for file in config_files(folder or Path.cwd())]
    devices: dict[str, DeviceEntry] = {}
    for config in reversed(configs):
        devices.update(config.devices)
    return Config(devices, next((c.arm_cpu for c in configs if c.arm_cpu is not None), None))


def config_files(folder: Path) -> list[Path]:
    """The files that are there, the one that stands first: the project's, the user's."""
    return [file for file in (_project_file(folder), user_file()) if file is not None and file.is_file()]


def user_file() -> Path:
    """The user's file: EVIT_CONFIG, else evit-deploy/config.toml in XDG_CONFIG_HOME, else in ~/.config."""
    own = os.environ.get(CONFIG_VARIABLE)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(own) if own else home / "evit-deploy" / "config.toml"


def _project_file(folder: Path) -> Path | None:
    """The nearest evit.toml; outside a repository only the folder itself is looked into."""
    folder = folder.absolute()
    line = (folder, *folder.parents)
    root = next((i for i, parent in enumerate(line) if (parent / ".git").exists()), 0)
    return next((p / PROJECT_FILE for p in line[: root + 1] if (p / PROJECT_FILE).is_file()), None)


def read_config(file: Path) -> Config:
    """What one file says.

    Raises:
        UserError: see `load_config`.
    """
    text, data = read_toml(file)
    return _Reader(file, text).config(data)


@dataclass(frozen=True)
class _Reader:
    """Turns one file's values into a `Config`; `text` only tells the line of an error."""

    file: Path
    text: str

    def config(self, data: Mapping[str, Any]) -> Config:
        tables = self.check("", data, {_DEVICES: dict, _DEFAULTS: dict})
        defaults = self.check(_DEFAULTS, tables.get(_DEFAULTS, {}), {_ARM_CPU: str})
        devices = tables.get(_DEVICES, {})
        return Config(
            {name: self.device(name, values) for name, values in devices.items()}, defaults.get(_ARM_CPU)
        )

    def device(self, name: str, values: Any) -> DeviceEntry:
        table = f"{_DEVICES}.{name}"
        if not _NAME.fullmatch(name):
            raise self.error(table, None, "a device's name has letters, digits, '.', '-' and '_' only")
        if name in ("local", _ARM_CPU):
            raise self.error(table, None, f"'{name}' has a meaning already; choose another name")
        if not isinstance(values, dict):
            raise self.error(_DEVICES, name, f"expected a table [{table}]")
        values = self.check(table, values, _KEYS)
        if "target" not in values:
            raise self.error(table, None, 'no target; add target = "ssh://user@host" or the like')
        if values.get("threads", 1) < 1:
            raise self.error(table, "threads", f"got {values['threads']}, expected at least 1")
        options = values.pop("ssh-options", None)
        if "native-runner" in values:
            values["native_runner"] = str(self.file.parent / values.pop("native-runner"))
        return DeviceEntry(
            name, file=self.file, ssh_options=None if options is None else tuple(options), **values
        )

    def check(self, table: str, values: Mapping[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
        """The values of a table, if all of them are known and of their type."""
        for key, value in values.items():
            if key not in known:
                raise self.error(table, key, f"unknown key; {nearest(key, known)}")
            kind = known[key]
            strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
            # `type` and not isinstance: true is no number of threads.
            if type(value) is not kind or not strings:
                raise self.error(table, key, f"got {value!r}, expected {_KINDS[kind]}")
        return dict(values)

    def error(self, table: str, key: str | None, complaint: str) -> UserError:
        return toml_error(self.file, self.text, table, key, complaint)

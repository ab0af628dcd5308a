"""The description of a model of one's own, in TOML -> the same, checked and complete.

    name = "road"                    # where not given, the file's own
    base = "b"                       # or "l": the family whose blocks it is built of
    widths = [8, 16, 32, 64, 128]    # of the stem and the four stages
    depths = [1, 2, 2, 2, 2]
    dim = 16                         # channels of an attention head
    classes = 5
    resolution = [256, 512]          # height, width; or one number
    crop = 1.0                       # preprocessing: the short side is resized to size / crop
    norm_eps = 1e-5                  # of every norm

    [segmentation]                   # or [classification], with widths = [1024, 1280]
    width = 32
    depth = 1
    expand = 4
    final_expand = 4                 # 0: none
    block = "mb"                     # or "fmb"

What depths count is what they count in the published models: of B the blocks of stages 1 and 2 with the
downsampling one, all others without. What is not understood is an error, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.errors import UserError
from evit_deploy.models.heads import MIDDLE_BLOCKS
from evit_deploy.toml_files import nearest, read_toml, toml_error

CLASSIFICATION_TABLE, SEGMENTATION_TABLE = "classification", "segmentation"
STAGES = 5  # with the stem
ATTENTION_STAGES: Mapping[str, tuple[int, ...]] = {"b": (3, 4), "l": (4,)}  # of `widths`
DEFAULT_NORM_EPS: Mapping[str, float] = {"b": 1e-5, "l": 1e-7}  # as published
DEFAULT_BLOCK: Mapping[str, str] = {"b": "mb", "l": "fmb"}
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

Config = dict[str, Any]


def _whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least  # true is no number


def _wholes(value: Any, *least: int) -> bool:
    return isinstance(value, list) and len(value) == len(least) and all(map(_whole, value, least))


def _between(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low < value <= high


@dataclass(frozen=True, slots=True)
class Key:
    """What a value must be, in code and in words; `default` is `None` where it must be given."""

    fits: Callable[[Any], bool]
    expected: str
    default: Any = None


_POSITIVE = "a whole number, at least 1"
TOP: Mapping[str, Key] = {
    "name": Key(
        lambda v: isinstance(v, str) and bool(_NAME.fullmatch(v)), "small letters, digits and single hyphens"
    ),
    "base": Key(lambda v: v in ("b", "l"), '"b" or "l"'),
    "widths": Key(lambda v: _wholes(v, 1, 1, 1, 1, 1), "5 whole numbers, each at least 1"),
    "depths": Key(
        lambda v: _wholes(v, 0, 1, 1, 1, 1), "5 whole numbers, the stem's at least 0, the others at least 1"
    ),
    "dim": Key(lambda v: _whole(v, 1), _POSITIVE),
    "classes": Key(lambda v: _whole(v, 1), _POSITIVE),
    "resolution": Key(
        lambda v: _whole(v, 1) or _wholes(v, 1, 1), "a whole number, or [height, width], at least 1 each"
    ),
    "crop": Key(lambda v: _between(v, 0, 1), "a number above 0, at most 1", 1.0),
    "norm_eps": Key(lambda v: _between(v, 0, 0.1), "a number above 0, at most 0.1", DEFAULT_NORM_EPS),
}
TABLES: Mapping[str, Mapping[str, Key]] = {
    CLASSIFICATION_TABLE: {"widths": Key(lambda v: _wholes(v, 1, 1), "2 whole numbers, each at least 1")},
    SEGMENTATION_TABLE: {
        "width": Key(lambda v: _whole(v, 1), _POSITIVE),
        "depth": Key(lambda v: _whole(v, 0), "a whole number, at least 0"),
        "expand": Key(lambda v: _whole(v, 1), _POSITIVE, 4),
        "final_expand": Key(lambda v: _whole(v, 0), "a whole number; 0: none", 4),
        "block": Key(
            lambda v: v in MIDDLE_BLOCKS, " or ".join(f'"{b}"' for b in MIDDLE_BLOCKS), DEFAULT_BLOCK
        ),
    },
}


def read_own_config(file: Path) -> Config:
    """What a file says, complete.

    Raises:
        UserError: it cannot be read, or something in it is missing, unknown or does not fit.
    """
    text, data = read_toml(file)
    return checked(data, file, text)


def checked(data: Mapping[str, Any], file: Path, text: str = "") -> Config:
    """The same with every default filled in: plain values, which this function takes again.

    Args:
        data: as TOML or JSON has it.
        file: where it is from, for errors.
        text: of the file, to name the line.

    Raises:
        UserError: see `read_own_config`.
    """
    return _Reader(file, text).config(data)


@dataclass(frozen=True, slots=True)
class _Reader:
    file: Path
    text: str

    def config(self, data: Mapping[str, Any]) -> Config:
        for key in data:
            if key not in TOP and key not in TABLES:
                raise self.error("", key, f"unknown key; {nearest(key, (*TOP, *TABLES))}")
        values = {"name": self._default_name(), **{k: v for k, v in data.items() if k not in TABLES}}
        config = self._table("", values, TOP, str(data.get("base")))
        if isinstance(config["resolution"], int):
            config["resolution"] = [config["resolution"]] * 2
        self._check_heads(config)
        head = self._head_name(data)
        if not isinstance(data[head], Mapping):
            raise self.error("", head, f"got {data[head]!r}, expected a table [{head}]")
        config[head] = self._table(head, data[head], TABLES[head], config["base"])
        return config

    def _table(self, table: str, values: Mapping[str, Any], keys: Mapping[str, Key], base: str) -> Config:
        for name, value in values.items():
            if name not in keys:
                raise self.error(table, name, f"unknown key; {nearest(name, keys)}")
            if not keys[name].fits(value):
                raise self.error(table, name, f"got {value!r}, expected {keys[name].expected}")
        found = {}
        for name, key in keys.items():
            default = key.default[base] if isinstance(key.default, Mapping) else key.default
            if name not in values and default is None:
                raise self.error(table, None, f"'{name}' is missing: expected {key.expected}")
            found[name] = values.get(name, default)
        return found

    def _default_name(self) -> str:
        return self.file.stem.lower().replace("_", "-")

    def _check_heads(self, config: Config) -> None:
        dim = config["dim"]
        for stage in ATTENTION_STAGES[config["base"]]:
            width = config["widths"][stage]
            if width % dim:
                fitting = [n for n in (width // dim * dim, -(-width // dim) * dim) if n]
                raise self.error(
                    "",
                    "widths",
                    f"{width} channels (the {stage + 1}th) cannot be divided into attention heads of dim = "
                    f"{dim}; {' and '.join(map(str, fitting))} can",
                )

    def _head_name(self, data: Mapping[str, Any]) -> str:
        heads = [name for name in TABLES if name in data]
        if len(heads) != 1:
            got = "both" if heads else "neither"
            raise self.error("", None, f"got {got} of [{'] and ['.join(TABLES)}], expected one of them")
        return heads[0]

    def error(self, table: str, key: str | None, complaint: str) -> UserError:
        return toml_error(self.file, self.text, table, key, complaint)

"""A suite: which models are exported how, where they are measured, and how much worse they may become. TOML.

    description = "what goes onto phones"
    devices = ["qemu:cortex-a76"]        # emulated ones: they count instructions

    [[models]]
    model = "efficientvit-b1"
    formats = ["onnx", "tflite"]
    resolutions = [224, "512x1024"]

    [tolerances]
    instructions = 0.001                 # a share

    [latency]                            # wall time, on real devices
    devices = ["pi5"]

What is not understood is an error that names the file and the line, never passed over; see docs/suites.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.artifact import FORMAT_SUFFIXES
from evit_deploy.benchmarks.checks import METRICS
from evit_deploy.benchmarks.suite_table import Kind, Table, choice, number, strings
from evit_deploy.benchmarks.toml_places import lines_of
from evit_deploy.devices import resolve_all
from evit_deploy.devices.base import COUNT, LATENCY
from evit_deploy.errors import Exit, UserError
from evit_deploy.toml_files import read_toml

# The metrics of `evit-bench gate` that need no device but an emulated one.
DETERMINISTIC = (
    *("operators", "macs", "parameters", "transposes", "partitions", "size"),
    *("precision", "signature", "parity", "instructions"),
)
DEFAULT_DEVICES = ("qemu:cortex-a76",)
SHIPPED = Path(__file__).with_name("suites")


@dataclass(frozen=True)
class SuiteModel:
    """A table `[[models]]`: every resolution is exported in every format and precision.

    `resolutions` are as evit-export takes them, "" for the published one; `weights` is "random",
    "pretrained", or a checkpoint's path as the file has it. `options` are those of evit-export by their names
    there; a switch has the value "".
    """

    model: str
    formats: tuple[str, ...]
    precisions: tuple[str, ...]
    resolutions: tuple[str, ...]
    weights: str
    seed: int
    options: Mapping[str, str]


@dataclass(frozen=True)
class Tolerances:
    """How much worse a candidate may be; what is not here may not change at all.

    `instructions` and `size` are shares of the baseline's, `parity_db` is in dB below it.
    """

    instructions: float = 0.001
    size: float = 0.01
    parity_db: float = 6.0


@dataclass(frozen=True)
class LatencySection:
    """The table `[latency]`: wall time on `devices`, baseline and candidate both measured now.

    `margin` is the share by which a candidate may be slower; at most `pairs` pairs of launches are taken, of
    `seconds` each.
    """

    devices: tuple[str, ...]
    margin: float = 0.03
    pairs: int = 30
    seconds: float = 0.5
    threads: int = 1
    cores: str = "auto"


@dataclass(frozen=True)
class Suite:
    """See above. `file` is where it was read from."""

    name: str
    file: Path
    models: tuple[SuiteModel, ...]
    description: str = ""
    devices: tuple[str, ...] = DEFAULT_DEVICES
    metrics: tuple[str, ...] = DETERMINISTIC
    tolerances: Tolerances = field(default_factory=Tolerances)
    latency: LatencySection | None = None


FindModel = Callable[[str], str]

_TOP: Mapping[str, Kind] = {
    "description": Kind("a string", str),
    "devices": strings("device"),
    "metrics": strings("metric", DETERMINISTIC),
    "models": Kind("tables [[models]]", list),
    "tolerances": Kind("a table [tolerances]", dict),
    "latency": Kind("a table [latency]", dict),
}
_SWITCH = Kind("true or false", bool)
# Options of evit-export, by their names there.
_OPTIONS: Mapping[str, Kind] = {
    "num-classes": number(1, whole=True),
    "layout": choice(("nchw", "nhwc")),
    "dynamic-batch": _SWITCH,
    "preprocess": _SWITCH,
    "head": choice(("logits", "upsample", "argmax")),
    "argmax-at": choice(("input", "logits")),
    "upsample": choice(("bicubic", "bilinear")),
}
_MODEL: Mapping[str, Kind] = {
    "model": Kind("a string", str),
    "formats": strings("format", tuple(FORMAT_SUFFIXES)),
    "precisions": strings("precision"),
    "resolutions": Kind('a list of sizes such as 224 or "512x1024"', list),
    "weights": Kind("a string", str),
    "seed": number(0, whole=True),
    **_OPTIONS,
}
_TOLERANCES: Mapping[str, Kind] = {
    "instructions": number(0, 1),
    "size": number(0, 1),
    "parity-db": number(0),
}
_LATENCY: Mapping[str, Kind] = {
    "devices": strings("device"),
    "margin": number(0.001, 0.9),
    "pairs": number(6, whole=True),
    "seconds": number(0.05),
    "threads": number(1, whole=True),
    "cores": Kind("a string", str),
}
assert set(DETERMINISTIC) <= set(METRICS)


def find_suite(name: str) -> Path:
    """The file of a suite: a path, or the name of one that is shipped.

    Raises:
        UserError: there is none.
    """
    shipped = SHIPPED / f"{name.removesuffix('.toml')}.toml"
    for path in (Path(name), shipped):
        if path.is_file():
            return path
    names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
    raise UserError(f"no suite '{name}': no such file, and shipped are {names}", Exit.CONFIG)


def read_suite(file: Path, find_model: FindModel | None = None) -> Suite:
    """Read a suite.

    Args:
        file: TOML.
        find_model: from a model's name to its full name, raising `UserError` where there is none; None leaves
            names as they are.

    Raises:
        UserError: it cannot be read, or has something in it that is not understood.
    """
    text, data = read_toml(file)
    top = Table(file, lines_of(text), (), data)
    top.check(_TOP)
    if not top.get("models", []):
        raise top.error(None, "nothing to measure: add a table [[models]] with model = ...")
    return Suite(
        name=file.stem,
        file=file,
        models=tuple(_model(table, find_model) for table in top.tables("models")),
        description=top.get("description", ""),
        devices=_devices(top, "devices", DEFAULT_DEVICES, COUNT),
        metrics=tuple(top.get("metrics", DETERMINISTIC)),
        tolerances=_tolerances(top),
        latency=_latency(top),
    )


def _model(table: Table, find_model: FindModel | None) -> SuiteModel:
    table.check(_MODEL, required=("model",))
    name = table.get("model", "")
    if find_model is not None:
        name = table.asking("model", lambda: find_model(table.get("model", "")))
    if table.get("weights", "") == "auto":
        raise table.error("weights", "'auto' is not the same everywhere; say random, pretrained or a path")
    options = {key: table.get(key, None) for key in _OPTIONS if table.get(key, False) is not False}
    return SuiteModel(
        model=name,
        formats=tuple(table.get("formats", FORMAT_SUFFIXES)),
        precisions=tuple(table.get("precisions", ("fp32",))),
        resolutions=tuple(_resolution(table, size) for size in table.get("resolutions", [""])),
        weights=table.get("weights", "random"),
        seed=table.get("seed", 0),
        options={key: "" if value is True else str(value) for key, value in options.items()},
    )


def _resolution(table: Table, size: Any) -> str:
    if type(size) is not int and not isinstance(size, str):
        raise table.error("resolutions", f'got {size!r}, expected a size such as 224 or "512x1024"')
    return str(size)


def _devices(table: Table, key: str, default: tuple[str, ...], figure: str) -> tuple[str, ...]:
    """Names of devices, all of which must give this figure."""
    names = tuple(table.get(key, default))
    for device in table.asking(key, lambda: resolve_all(names)):
        if device.figure == figure:
            continue
        if device.figure == LATENCY:
            raise table.error(key, f"{device.name} counts no instructions: it belongs in [latency]")
        if figure == LATENCY:
            raise table.error(key, f"{device.name} is emulated: it has no latency")
        raise table.error(key, f"{device.name} gives {device.figure}; name qemu:CORE, whose counts repeat")
    return names


def _tolerances(top: Table) -> Tolerances:
    table = top.table("tolerances")
    table.check(_TOLERANCES)
    return Tolerances(**{key.replace("-", "_"): float(value) for key, value in table.values.items()})


def _latency(top: Table) -> LatencySection | None:
    if "latency" not in top.values:
        return None
    table = top.table("latency")
    table.check(_LATENCY, required=("devices",))
    devices = _devices(table, "devices", (), LATENCY)
    return LatencySection(**{**table.values, "devices": devices})

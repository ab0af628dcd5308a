"""The instructions of one inference on emulated cores, by class and by mnemonic, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evit_deploy.artifact import check_path
from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.measure import Plan, describe, install_agent
from evit_deploy.benchmarks.summary import inference_counts
from evit_deploy.devices import Device

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Instructions:
    """Of one inference of one graph on one core; `mnemonics` is None where nobody asked for them."""

    artifact: str
    device: str
    classes: dict[str, int]
    mnemonics: dict[str, int] | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def count_instructions(
    path: Path, device: Device, *, mnemonics: bool = False, interpreter: str = "auto"
) -> Instructions:
    """Count one inference; the device is opened and closed here.

    Args:
        path: the graph file.
        device: an emulated one, closed.
        mnemonics: count by mnemonic, too.
        interpreter: for TFLite files.

    Raises:
        UserError, SetupError: the artifact cannot be read or run, the emulator is not set up.
    """
    subject, check = describe(path), check_path(path)
    with device:
        install_agent(bundle_agent(), device)
        job = {
            **{"mode": "count", "threads": 1, "seed": Plan.seed, "interpreter": interpreter},
            **{"graph": device.push(path), "mnemonics": mnemonics},
            "check": device.push(check) if check.is_file() else None,
        }
        result = device.run_agent(job)
    by_mnemonic = inference_counts(result["mnemonics"]) if mnemonics else None
    return Instructions(subject.name, device.label, inference_counts(result["counts"]), by_mnemonic)


def print_instructions(counted: Sequence[Instructions], console: Console, top: int) -> None:
    """Classes, and the `top` most frequent mnemonics where there are some: a column for each core."""
    artifact = counted[0].artifact
    _print(f"{artifact}: instructions by class", "class", [c.classes for c in counted], counted, console)
    if counted[0].mnemonics is not None:
        mnemonics = [c.mnemonics or {} for c in counted]
        frequent = set(_by_frequency(mnemonics)[:top])
        shown = [{name: n for name, n in column.items() if name in frequent} for column in mnemonics]
        title = f"{artifact}: the {len(frequent)} most frequent mnemonics"
        _print(title, "mnemonic", shown, counted, console)


def _print(
    title: str,
    first: str,
    columns: Sequence[Mapping[str, int]],
    counted: Sequence[Instructions],
    console: Console,
) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(first, no_wrap=True)
    for one in counted:
        table.add_column(one.device, justify="right", no_wrap=True)
        table.add_column("share", justify="right", no_wrap=True)
    totals = [sum(one.classes.values()) for one in counted]
    for name in _by_frequency(columns):
        table.add_row(name, *_cells([column.get(name, 0) for column in columns], totals))
    table.add_row("all", *_cells(totals, totals))
    console.print(table)


def _cells(counts: Sequence[int], totals: Sequence[int]) -> list[str]:
    pairs = zip(counts, totals, strict=True)
    return [cell for count, total in pairs for cell in (f"{count:,}", f"{count / total:.1%}")]


def _by_frequency(columns: Sequence[Mapping[str, int]]) -> list[str]:
    """All names, the most frequent (in any column) first."""
    most = {name: max(c.get(name, 0) for c in columns) for column in columns for name in column}
    return sorted(most, key=lambda name: (-most[name], name))

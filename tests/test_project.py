"""Guards: habits of this project that a reviewer would otherwise have to watch over."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evit_deploy.cli import bench, eval, export
from evit_deploy.cli.common import DefaultGroup
from evit_deploy.errors import Exit

REPOSITORY = Path(__file__).parent.parent
FOLDERS = ("models", "exporters", "benchmarks")
COMMANDS = {"evit-export": export.cli, "evit-bench": bench.bench, "evit-eval": eval.evaluate_command}
GROUPS = {name: command for name, command in COMMANDS.items() if isinstance(command, DefaultGroup)}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    return parser


def lines_of(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip()]


def test_the_list_of_packages_is_the_tree() -> None:
    listed = lines_of(setup_cfg()["options"]["packages"])
    assert len(listed) == len(set(listed))
    found = {
        "evit_deploy." + ".".join(path.parent.relative_to(REPOSITORY).parts)
        for folder in FOLDERS
        for path in (REPOSITORY / folder).rglob("__init__.py")
    }
    for path in (REPOSITORY / "evit_deploy").rglob("__init__.py"):
        parts = path.parent.relative_to(REPOSITORY).parts
        if len(parts) == 1 or parts[1] not in FOLDERS:  # those are links to the folders above
            found.add(".".join(parts))
    assert set(listed) == found


def test_every_folder_with_modules_is_a_package() -> None:
    """A folder without `__init__.py` works in a checkout and is missing from the wheel."""
    for folder in ("evit_deploy", *FOLDERS):
        for module in (REPOSITORY / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_uninstalled_checkout_has_the_import_names(folder: str) -> None:
    link = REPOSITORY / "evit_deploy" / folder
    assert link.is_symlink()
    assert link.resolve() == REPOSITORY / folder


def test_import_contracts_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_commands_import_nothing_heavy() -> None:
    code = (
        "import sys, evit_deploy.cli.export, evit_deploy.cli.bench, evit_deploy.cli.eval; "
        "print(*{'torch', 'onnxruntime', 'numpy', 'rich', 'onnx', 'ai_edge_litert', 'PIL'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_every_exit_code_is_documented() -> None:
    text = (REPOSITORY / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|\s*(\d+)\s*\|\s*`?(\w+)`?\s*\|", text, re.MULTILINE)
    assert [(int(code), name) for code, name in rows] == [(member.value, member.name) for member in Exit]


def options_of(command: click.Command, path: str) -> Iterator[tuple[str, click.Option]]:
    """Every option of a command and of those below it, with the words that lead to it."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield path, parameter
    for name, below in getattr(command, "commands", {}).items():
        yield from options_of(below, f"{path} {name}")


def sections() -> dict[str, str]:
    """docs/commands.md: the text under each command's heading."""
    text = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    introduction, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    found = {part.partition("\n")[0].strip("` "): introduction + part for part in parts}
    assert COMMANDS.keys() <= found.keys()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    text = sections()[command]
    missing = {
        f"{path} {option.opts[-1]}"
        for path, option in options_of(COMMANDS[command], command)
        if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for name in option.opts)
    }
    assert missing == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_option_exists(command: str) -> None:
    known = {name for _, option in options_of(COMMANDS[command], command) for name in option.opts}
    known |= {"--help", "-h", "--version"}
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", sections()[command]))
    assert documented - known == set()


@pytest.mark.parametrize("command", GROUPS)
def test_every_command_is_documented(command: str) -> None:
    text = sections()[command]
    below = set(GROUPS[command].commands) - {GROUPS[command].default}
    assert {name for name in below if f"`{command} {name}" not in text} == set()


# In pieces, so that this file is not the one that is found. None of it means anything to a reader elsewhere.
FORBIDDEN = tuple(
    "".join(parts)
    for parts in (
        ("/wo", "rk/"),
        ("/tm", "p/w/"),
        ("sha", "red/"),
        ("ses", "sions"),
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("download.py", "torch.org"),
        ("proxy.go", "lang.org"),
    )
)


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [REPOSITORY / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def test_no_tracked_file_names_the_place_where_it_was_written() -> None:
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" not in content[:1024]:
            found += [(path.name, word) for word in FORBIDDEN if word.encode() in content]
    assert found == []


def test_the_search_finds_such_words(tmp_path: Path) -> None:
    assert len(tracked_files()) > 50
    assert any(word in f"see {FORBIDDEN[0]}main" for word in FORBIDDEN)

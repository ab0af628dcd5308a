"""What both commands share, on a small command of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from evit_deploy.cli.common import NORMAL, QUIET, DefaultGroup, Reporter, run_command
from evit_deploy.errors import Exit, UserError


@click.group(cls=DefaultGroup, default="greet", instead={"--other": "other"})
def group() -> None:
    pass


@group.command()
@click.argument("names", nargs=-1)
@click.option("--fail", is_flag=True)
@click.option("--code", type=int, default=0)
def greet(names: tuple[str, ...], fail: bool, code: int) -> int:
    if fail:
        raise UserError("two\nlines", Exit.IMAGE)
    click.echo(f"hello {' '.join(names)}")
    return code


@group.command()
@click.argument("names", nargs=-1)
def other(names: tuple[str, ...]) -> None:
    click.echo(" ".join(("other", *names)))


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        run_command(group, arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_first_word_that_is_no_command_goes_to_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("you", "there") == 0
    assert exit_code() == 0
    assert exit_code("other") == 0
    assert capsys.readouterr().out == "hello you there\nhello \nother\n"


def test_a_flag_of_the_default_may_choose_another_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("you", "--other", "there") == 0
    assert exit_code("greet", "--other") == 0
    assert exit_code("--", "--other") == 0
    assert capsys.readouterr().out == "other you there\nother\nhello --other\n"
    assert exit_code("other", "--other") == Exit.USAGE


def test_help_of_the_group_has_the_defaults_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    text = capsys.readouterr().out
    assert "--fail" in text
    assert "other" in text


def test_a_returned_number_is_the_exit_code() -> None:
    assert exit_code("--code", "3") == 3


def test_our_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--fail") == Exit.IMAGE
    assert capsys.readouterr().err == "error: two lines\n"


def test_an_interrupt_in_executed_text_has_our_exit_code_too(tmp_path: Path) -> None:
    """As one is that comes while an import makes a namedtuple, in a module that "-m" runs."""
    (tmp_path / "stops.py").write_text(
        "import click\nfrom evit_deploy.cli.common import run_command\n"
        "run_command(click.Command('stops', callback=lambda: exec('raise KeyboardInterrupt')))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "stops"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == Exit.INTERRUPTED


def test_completion_offers_commands_and_the_defaults_options() -> None:
    context = group.make_context("x", [], resilient_parsing=True)
    assert [item.value for item in group.shell_complete(context, "o")] == ["other"]
    assert "--fail" in [item.value for item in group.shell_complete(context, "--")]


def test_reporter(capsys: pytest.CaptureFixture[str]) -> None:
    for level in (NORMAL, QUIET):
        reporter = Reporter(level)
        reporter.say("said")
        reporter.detail("detail")
        reporter.warn("beware")
        with reporter.progress("working") as step:
            step("first")
    assert capsys.readouterr().err == "said\nwarning: beware\nworking\n  first\nwarning: beware\n"

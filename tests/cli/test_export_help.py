"""`--help` answers at once, and what it shows works."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from evit_deploy.cli.export import cli
from evit_deploy.errors import Exit

# Any of these alone takes as long as `--help` may.
HEAVY = {
    *("torch", "numpy", "scipy", "sklearn", "matplotlib", "rich", "jax", "tensorflow", "huggingface_hub"),
    *("onnx", "onnxscript", "onnxsim", "onnxruntime", "litert_torch", "ai_edge_litert", "multiprocessing"),
}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    "command", [[], ["run"], ["verify"], ["list"], ["plain"], ["sensitivity"], ["convert-weights"]]
)
def test_help(command: list[str], run_export: Run) -> None:
    done = run_export(*command, "--help")
    assert (done.returncode, done.stderr) == (Exit.OK, "")
    assert "Usage:" in done.stdout


def test_help_shows_the_options_of_the_default_command(run_export: Run) -> None:
    text = run_export("-h").stdout
    for parameter in cli.commands["run"].params:
        if isinstance(parameter, click.Option):
            assert max(parameter.opts, key=len) in text


def test_version(run_export: Run) -> None:
    import evit_deploy

    assert run_export("--version").stdout.split()[-1] == evit_deploy.__version__


def test_help_takes_less_than_half_a_second(run_export: Run) -> None:
    """Of processor time, which other work on this machine does not lengthen much; the best of three."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_export("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(3)) < 0.5


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from evit_deploy.cli.export import cli; cli.main(['--help'], standalone_mode=False); "
        f"heavy = {HEAVY} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_example_of_the_help_parses() -> None:
    lines = [line.strip() for line in str(cli.help).splitlines()]
    examples = [re.split(r"\s{2,}", line)[0] for line in lines if line.startswith("evit-export")]
    assert len(examples) >= 5
    for example in examples:
        words = shlex.split(example)[1:]
        name = words.pop(0) if words and words[0] in cli.commands else "run"
        with cli.commands[name].make_context(name, words) as context:
            assert context.args == [], example

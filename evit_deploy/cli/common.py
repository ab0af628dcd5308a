"""What both commands share: the outer wrapper, -q/-v, messages on stderr, and a group with a default command.

Machine output and tables go to stdout, everything else to stderr, so that a pipe carries only results.
Imports of rich are inside functions: `--help` must answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from evit_deploy.errors import EvitError, Exit
from evit_deploy.interrupts import interrupts_kept

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

QUIET, NORMAL, VERBOSE = 0, 1, 2


def run_command(command: click.Command, args: Sequence[str] | None = None) -> NoReturn:
    """Run a click command as the process's main function and exit with a documented code.

    `EvitError` and click's usage errors become one line on stderr. A command may return an exit code.
    """
    # A scheduler's SIGTERM must unwind as Ctrl-C does, or it would leave our child processes behind.
    signal.signal(signal.SIGTERM, _raise_interrupt)
    # Before anything can import onnxruntime: 1.31 sends telemetry by default (see runtimes/ort.py).
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        with interrupts_kept():
            code = command.main(args=None if args is None else list(args), standalone_mode=False)
        sys.stdout.flush()
    except EvitError as error:
        _fail(str(error), error.code)
    except click.UsageError as error:
        hint = f"; see '{error.ctx.command_path} --help'" if error.ctx else ""
        _fail(error.format_message().rstrip(".") + hint, Exit.USAGE)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        # Python notes an interrupt that leaves a text which is executed, as namedtuple executes one, and then
        # dies of the signal whatever code we exit with. Executing another text makes it forget.
        exec("")
        _fail("interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    sys.exit(code if isinstance(code, int) else Exit.OK)


def _raise_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    one_line = " ".join(message.split())
    click.echo(f"error: {one_line}", err=True)
    sys.exit(int(code))


@dataclass(frozen=True)
class Reporter:
    """Says on stderr what is going on; `level` is QUIET, NORMAL or VERBOSE."""

    level: int = NORMAL

    def say(self, message: str) -> None:
        """A line for everybody who did not ask for silence."""
        if self.level >= NORMAL:
            click.echo(message, err=True)

    def detail(self, message: str) -> None:
        """A line for those who asked for more (-v)."""
        if self.level >= VERBOSE:
            click.echo(message, err=True)

    def warn(self, message: str) -> None:
        """A line that -q does not silence: something is not as the caller expects."""
        click.echo(f"warning: {message}", err=True)

    @contextmanager
    def progress(self, title: str, total: int | None = None) -> Iterator[Callable[[str], None]]:
        """Show work in progress; the value is a function that names the step that begins now.

        On a terminal: a spinner or, where `total` steps are known, a bar. Elsewhere: one line a step.
        """
        if self.level < NORMAL:
            yield lambda step: None
        elif not sys.stderr.isatty():
            self.say(title)
            yield lambda step: self.say(f"  {step}")
        else:
            with _rich_progress(title, total) as advance:
                yield advance


@contextmanager
def _rich_progress(title: str, total: int | None) -> Iterator[Callable[[str], None]]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bar = [BarColumn(bar_width=20)] if total else []
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), *bar, TimeElapsedColumn()]
    # Redrawing seldom: what is in progress may be a measurement on this very machine.
    with Progress(*columns, console=stderr_console(), transient=True, refresh_per_second=2) as progress:
        task = progress.add_task(title, total=total)
        begun = 0

        def advance(step: str) -> None:
            nonlocal begun
            progress.update(task, description=f"{title}: {step}", completed=begun)
            begun += 1

        yield advance


def stderr_console() -> Console:
    """A rich console on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def stdout_console() -> Console:
    """A rich console on stdout; as wide as it needs to be when the output is piped, so nothing is cut."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 1000)


def verbosity_options(function: F) -> F:
    """Add -q and -v; read them with `reporter_of`."""
    function = click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")(function)
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")(function)


def reporter_of(quiet: bool, verbose: bool) -> Reporter:
    """The reporter that the two flags ask for.

    Raises:
        click.UsageError: both were given.
    """
    if quiet and verbose:
        raise click.UsageError("-q and -v exclude each other")
    return Reporter(QUIET if quiet else VERBOSE if verbose else NORMAL)


class DefaultGroup(click.Group):
    """A group whose first word need not be a command: then the command named `default` takes all words.

    `evit-bench x.onnx` runs `evit-bench run x.onnx`. The help of the group shows the options of the default.
    `instead` maps a flag of the default command to the command that takes all other words in its place:
    `evit-bench x.onnx --profile` runs `evit-bench profile x.onnx`.
    """

    def __init__(
        self, *args: Any, default: str, instead: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.default = default
        self.instead = dict(instead or {})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where the words do not begin with a command's."""
        own = {"--help", "--version", *self.commands}
        completing = ctx.resilient_parsing and not args
        if not completing and (not args or args[0] not in own):
            args = [self.default, *args]
        return super().parse_args(ctx, self._redirected(args))

    def _redirected(self, args: list[str]) -> list[str]:
        options = args[: args.index("--")] if "--" in args else args
        for flag, command in self.instead.items():
            if args[:1] == [self.default] and flag in options:
                args = [command, *(word for word in args[1:] if word != flag)]
        return args

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both ways of calling."""
        usage = self.commands[self.default].collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path, " ".join(usage))
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] [ARGS]...", prefix="   or: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The default command's options, then the commands."""
        default = self.commands[self.default]
        options = [p for p in (*default.params, *self.get_params(ctx)) if isinstance(p, click.Option)]
        own = [option.get_help_record(ctx) for option in options]
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record is not None])
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and whatever the default command would take in their place."""
        return [
            *super().shell_complete(ctx, incomplete),
            *self.commands[self.default].shell_complete(ctx, incomplete),
        ]

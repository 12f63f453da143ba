"""The root of the command line, and the one place where errors become lines and exit codes.

Exit codes: 0 done, 1 it went wrong or findings are errors, 2 the command was not understood, 130 ended by
Ctrl-C.
"""

import difflib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from pointsman import __version__
from pointsman.errors import PointsmanError

PROGRAM = "pointsman"
DEBUG = "POINTSMAN_DEBUG"

# Stated here, so that `pointsman --help` imports none of them.
COMMANDS = {
    "up": "Serve the models and routes of some files on this machine.",
    "get": "Show what runs and how it is.",
    "explain": "Say why an object is as it is.",
    "validate": "Check files without running anything.",
    "simulate": "Play a recorded load to scaling settings, beside those of others.",
    "policy": "List, render and test guardrail policies; report and keep evidence.",
    "plan": "Print the Kubernetes objects that the operator would apply.",
    "demo": "Serve the quickstart, ask it, kill its first model, ask again.",
    "operator": "Run the operator of a cluster.",
    "gateway": "Run a gateway of a cluster.",
    "autoscaler": "Run the autoscaler of a cluster.",
    "engine-agent": "Stand beside an engine in a pod.",
    "fetch-weights": "Bring weights into a pod's volume.",
    "completion": "Print the completion script for a shell.",
}

_EXTRAS = {
    "numpy": "autoscaler",
    "scipy": "autoscaler",
    "prometheus_api_client": "autoscaler",
    "cronsim": "autoscaler",
    "kopf": "cluster",
    "kubernetes": "cluster",
    "xllamacpp": "local",
    "huggingface_hub": "weights",
    "httpx2": "weights",
    "obstore": "weights",
}
"""Which extra of pyproject.toml brings a module that not every command needs."""


class Subcommands(click.Group):
    """Subcommands by module name, imported on first use."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(f"pointsman.cli.{name.replace('-', '_')}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"pointsman.cli.{name}.command is no click command")
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        options = click.Command.shell_complete(self, context, incomplete)
        return [
            *(
                CompletionItem(name, help=text)
                for name, text in COMMANDS.items()
                if name.startswith(incomplete)
            ),
            *options,
        ]

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            context.fail(f'no command "{args[0]}"{hint}')
        return super().resolve_command(context, args)


def _trace_errors(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        os.environ[DEBUG] = "1"


@click.group(
    cls=Subcommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with: pointsman up examples/quickstart",
)
@click.version_option(__version__, "--version", prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_trace_errors,
    help=f"Show a traceback for internal errors (also: {DEBUG}=1).",
)
def pointsman() -> None:
    """Serve many language models as one fleet, behind one OpenAI-compatible endpoint."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; errors are one line on standard error."""
    _write_what_the_terminal_lacks_as_escapes()
    try:
        # click returns the code that a command exits with, and raises what it would have printed itself.
        code = pointsman.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except PointsmanError as error:
        _say(str(error))
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else PROGRAM
        _say(f"{path}: {error.format_message().rstrip('.')}; see {path} --help")
        return 2
    except click.ClickException as error:
        _say(error.format_message())
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader of our output has gone.
        _forget_output()
        return 1
    except OSError as error:
        if not _was_output(error):
            return _internal_error(error)
        _forget_output()
        _say(f"the output cannot be written ({os.strerror(error.errno or 0)})")
        return 1
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return _internal_error(error)
        _say(f'{error.name} is not installed; install it with: pip install "pointsman[{extra}]"')
        return 1
    except Exception as error:
        return _internal_error(error)


def _write_what_the_terminal_lacks_as_escapes() -> None:
    """An arrow, or a byte of a file's name that is no text, is no reason to print nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _was_output(error: OSError) -> bool:
    """Whether the error came of printing: click raised it, or standard output still holds what it could not
    write.
    """
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if frame.f_code is click.echo.__code__:
        return True
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _forget_output() -> None:
    """What Python still holds for standard output must not become an error at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _internal_error(error: Exception) -> int:
    if os.environ.get(DEBUG, "") not in ("", "0"):
        traceback.print_exception(error)
        return 1
    what = f"internal error: {type(error).__name__}: {error}"
    try:
        log = _error_log()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)))
    except OSError as trouble:
        _say(f"{what}; repeat it with --debug and report the traceback (no log: {trouble.strerror})")
        return 1
    _say(f"{what}; please report it with the log at {log}")
    return 1


def _error_log() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "pointsman" / "internal-error.log"


def _say(text: str) -> None:
    click.echo(" ".join(text.split()), err=True)


if __name__ == "__main__":
    sys.exit(main())

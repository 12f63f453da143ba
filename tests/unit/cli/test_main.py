"""The edge: every way to fail is one line and an exit code, and help is quick."""

import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from pointsman import __version__
from pointsman.cli.main import COMMANDS, main
from pointsman.errors import PointsmanError

Add = Callable[[Callable[[], object]], None]

RUN = [sys.executable, "-m", "pointsman.cli.main"]


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # Set and removed again afterwards, whatever `--debug` makes of it in between.
    monkeypatch.setenv("POINTSMAN_DEBUG", "")
    return tmp_path


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Add:
    """Adds a subcommand named `trial` that calls a function."""

    def add(body: Callable[[], object]) -> None:
        module = types.ModuleType("pointsman.cli.trial")
        module.__dict__["command"] = click.command("trial")(body)
        monkeypatch.setitem(sys.modules, "pointsman.cli.trial", module)
        monkeypatch.setitem(COMMANDS, "trial", "A subcommand of this test.")

    return add


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys; from pointsman.cli.main import main; main(['--help']);"
        "print([name for name in sys.modules if name.startswith('pointsman.cli.')"
        " or name.split('.')[0] in ('grpc', 'aiohttp', 'pydantic')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *help_text, imported = found.stdout.splitlines()
    assert imported == "['pointsman.cli.main']"
    assert all(any(line.strip().startswith(f"{name} ") for line in help_text) for name in COMMANDS)


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pointsman {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (["vaildate"], 'pointsman: no command "vaildate"; did you mean "validate"?; see pointsman --help'),
        (["dance"], 'pointsman: no command "dance"; see pointsman --help'),
        (["--loud"], "pointsman: No such option '--loud'; see pointsman --help"),
        (
            ["completion", "tcsh"],
            "pointsman completion: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', "
            "'fish'; see pointsman completion --help",
        ),
    ],
)
def test_a_command_that_is_not_understood_is_one_line(
    arguments: list[str], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"{want}\n"


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_our_own_errors_are_one_line(added: Add, capsys: pytest.CaptureFixture[str]) -> None:
    added(
        raising(PointsmanError("port 8080\nis taken", where="listener", todo="choose another with --listen"))
    )
    assert main(["trial"]) == 1
    assert capsys.readouterr().err == "listener: port 8080 is taken; choose another with --listen\n"


def test_an_internal_error_is_one_line_and_a_log(
    added: Add, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added(raising(KeyError("spec")))
    assert main(["trial"]) == 1
    log = state_home / "pointsman" / "internal-error.log"
    assert capsys.readouterr().err == (
        f"internal error: KeyError: 'spec'; please report it with the log at {log}\n"
    )
    assert "Traceback (most recent call last)" in log.read_text()


def test_an_internal_error_without_a_place_for_the_log_says_so(
    added: Add,
    state_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (state_home / "taken").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(state_home / "taken"))
    added(raising(ZeroDivisionError("a share of nothing")))
    assert main(["trial"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("internal error: ZeroDivisionError: a share of nothing; repeat it with --debug")
    assert said.count("\n") == 1


@pytest.mark.parametrize("by", ["option", "variable"])
def test_debug_shows_the_traceback(
    by: str,
    added: Add,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    added(raising(KeyError("spec")))
    if by == "variable":
        monkeypatch.setenv("POINTSMAN_DEBUG", "1")
    assert main(["--debug", "trial"] if by == "option" else ["trial"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_ctrl_c_is_130_and_says_nothing(added: Add, capsys: pytest.CaptureFixture[str]) -> None:
    added(raising(KeyboardInterrupt()))
    assert main(["trial"]) == 130
    assert capsys.readouterr().err.strip() == ""


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_command_chooses_its_exit_code(code: int, added: Add) -> None:
    added(lambda: click.get_current_context().exit(code))
    assert main(["trial"]) == code


def test_a_reader_that_has_gone_is_no_error() -> None:
    script = f"{' '.join(RUN)} completion bash; echo $? >&2"
    reader = subprocess.run(["bash", "-c", f"({script}) | true"], capture_output=True, text=True, check=True)
    assert reader.stderr in ("0\n", "1\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"_POINTSMAN_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ("pointsman va", ["plain,validate"]),
        ("pointsman completion z", ["plain,zsh"]),
        ("pointsman up exam", ["file,exam"]),
        ("pointsman validate exam", ["file,exam"]),
    ],
)
def test_the_completion_script_completes(words: str, want: list[str]) -> None:
    environment = {
        **os.environ,
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "_POINTSMAN_COMPLETE": "bash_complete",
    }
    found = subprocess.run(RUN, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == want


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_a_character_that_the_terminal_lacks_is_no_error(encoding: str, state_home: Path) -> None:
    script = (
        "import click, sys, types; from pointsman.cli import main;"
        "says = lambda: [click.echo('chat \\u2192 backup \\udcff', err=err) for err in (False, True)];"
        "trial = types.SimpleNamespace(command=click.command('trial')(says));"
        "sys.modules['pointsman.cli.trial'] = trial; main.COMMANDS['trial'] = '';"
        "sys.exit(main.main(['trial']))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, found.stderr)
    assert found.stdout.startswith(b"chat ")


def test_a_file_whose_name_is_no_unicode_is_named(state_home: Path) -> None:
    name = os.fsdecode(b"bad\xff.yaml")
    (state_home / name).write_text("a: 1\n")
    for output in ("text", "json"):
        found = subprocess.run(
            [*RUN, "validate", name, "-o", output], cwd=state_home, capture_output=True, check=False
        )
        assert (found.returncode, found.stderr) == (1, b"")
        assert b"bad" in found.stdout


def test_a_standard_input_that_is_closed_is_one_line() -> None:
    script = f"{' '.join(RUN)} validate - <&-"
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (2, "(standard input): is closed\n")

"""What makes a start or an answer impossible is one line: what, where, what to do."""

import subprocess
from pathlib import Path

import pytest

from pointsman.local.state import StateFolder, to_json, write_whole
from tests.e2e.local.running_up import pointsman
from tests.support import manifests


def said(*arguments: str, stdout: int | None = subprocess.PIPE) -> tuple[int, list[str]]:
    """Exit code and the lines on standard error."""
    ended = subprocess.run(
        pointsman(*arguments), stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stderr.splitlines()


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_state_folder_that_cannot_be_written_is_one_line(tmp_path: Path, command: str) -> None:
    # Nobody may write below /proc, not even root.
    code, lines = said(command, str(tmp_path), "--state-dir=/proc/pointsman")
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith("/proc/pointsman/logs/up.log: cannot be written (")
    assert "--state-dir" in lines[0]


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    kept = StateFolder(tmp_path).object_path("ModelRoute", "default", "chat")
    write_whole(kept, to_json(manifests.route("chat", ["a"])))
    with Path("/dev/full").open("w") as full:
        code, lines = said("get", f"--state-dir={tmp_path}", stdout=full.fileno())
    assert code == 1
    assert lines[-1] == "the output cannot be written (No space left on device)"
    assert not any("internal error" in line for line in lines)


def test_a_demo_beside_an_up_names_that_one_and_no_port(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with state.held():
        ended = subprocess.run(
            pointsman("demo", str(tmp_path), f"--state-dir={state.path}"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("another `pointsman up` (pid ")


def test_validate_says_what_is_no_file_and_does_not_wait_for_it(tmp_path: Path) -> None:
    subprocess.run(["mkfifo", tmp_path / "pipe.yaml"], check=True)
    ended = subprocess.run(
        pointsman("validate", str(tmp_path)), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert f"{tmp_path}/pipe.yaml: not a regular file; remove or replace it" in ended.stdout

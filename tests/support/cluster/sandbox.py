"""A cluster on this machine to try things on: `python -m tests.support.cluster.sandbox up`, and `down`.

It runs in the background until `down`: a control plane, a node whose llama.cpp pods really answer, and a node
with scripted GPU engines. `sandbox_installation` puts Pointsman into it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tests.support.cluster.build import built_control_plane
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import GPU_TAINT, NodeSettings, RunningNode, gpu_labels
from tests.support.cluster.sandbox_installation import gateway_url, install
from tests.support.event_loop_thread import EventLoopThread
from tests.support.every_model_hub import EveryModelHub
from tests.support.polling import eventually
from tests.support.processes import REPOSITORY, python_module

_START_SECONDS = 180.0
_STOP_SECONDS = 60.0
_ENDS = {signal.SIGTERM, signal.SIGINT}
_LOOK_SECONDS = 1.0
_MARKS = {True: "✓", False: "✗"}


def nodes(hub_url: str) -> tuple[NodeSettings, ...]:
    """One that runs engines for real, and one with scripted engines, whose weights are a stand-in's."""
    real = NodeSettings(name="cpu-node", cpu="16", restart_backoff_seconds=2.0, resync_seconds=2.0)
    scripted = replace(
        real,
        name="gpu-node",
        gpus=8,
        memory="1Ti",
        cpu="64",
        labels=gpu_labels("NVIDIA-L4", memory_mebibytes=23034, count=8),
        pod_network=NodeSettings().pod_network,
        taints=(GPU_TAINT,),
        environment={"HF_ENDPOINT": hub_url},
    )
    return (real, scripted)


@dataclass(frozen=True)
class Place:
    """The sandbox's folder; there is one sandbox for each."""

    folder: Path

    @classmethod
    def default(cls) -> Place:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return cls(state / "pointsman" / "sandbox")

    @property
    def kubeconfig(self) -> Path:
        """Appears when all has been tried."""
        return self.folder / "kubeconfig"

    @property
    def gateway(self) -> Path:
        """Has the URL of a gateway; empty where none came up."""
        return self.folder / "gateway"

    @property
    def log(self) -> Path:
        return self.folder / "sandbox.log"

    @property
    def lock(self) -> Path:
        """Held by the sandbox while it runs; its content is the process id."""
        return self.folder / "lock"

    def pid(self) -> int | None:
        """The sandbox's process; None where none runs."""
        if not self.lock.exists():
            return None
        with self.lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Whoever holds it writes its id a moment later.
                return int(file.read() or 0) or None
        return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the sandbox of this folder. Raises BlockingIOError where another is."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.lock.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def run(place: Place) -> None:
    """Be the sandbox until SIGTERM."""
    # Before any thread begins: they inherit it, and the signal is waited for here.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    with place.held(), ExitStack() as running:
        began = time.monotonic()

        def say(what: str, *, good: bool = True) -> None:
            print(f" {_MARKS[good]} {what:<80} {time.monotonic() - began:4.0f} s", flush=True)

        for left in ("control-plane", "nodes"):
            shutil.rmtree(place.folder / left, ignore_errors=True)
        control_plane = running.enter_context(
            ControlPlane.start(Options(audit=False), folder=place.folder / "control-plane")
        )
        say("control plane")
        hub = EveryModelHub({})
        loop = running.enter_context(EventLoopThread("hub"))
        loop.call(hub.__aenter__())
        for settings in nodes(hub.url):
            folder = place.folder / "nodes" / settings.name
            folder.mkdir(parents=True)
            running.enter_context(RunningNode(control_plane, settings, folder=folder))
            say(f"node {settings.name}")
        install(control_plane.admin, say)
        place.gateway.write_text(gateway_url(control_plane.admin))
        ready = place.kubeconfig.with_suffix(".new")
        ready.touch(mode=0o600)
        ready.write_text(control_plane.access().kubeconfig())
        ready.rename(place.kubeconfig)
        running.callback(place.kubeconfig.unlink)
        while signal.sigtimedwait(_ENDS, _LOOK_SECONDS) is None:
            control_plane.start_again_what_ended()


@click.group()
def main() -> None:
    """A Kubernetes cluster of processes, to try Pointsman on."""


@main.command()
def up() -> None:
    """Start it in the background, wait until it is ready, and say how to use it."""
    place = Place.default()
    if place.pid() is None:
        built_control_plane()
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One that was killed left it, and its cluster is gone.
        place.kubeconfig.unlink(missing_ok=True)
        with place.log.open("w") as log:
            started = subprocess.Popen(
                python_module("tests.support.cluster.sandbox", "run"),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def ready() -> bool:
            if started.poll() is not None:
                raise click.ClickException(f"the sandbox did not start:\n{place.log.read_text()}")
            return place.pid() is not None and place.kubeconfig.exists()

        eventually(ready, _START_SECONDS, "the sandbox is ready", 0.1)
        for line in place.log.read_text().splitlines():
            if line.startswith(tuple(f" {mark} " for mark in _MARKS.values())):
                click.echo(line)
    click.echo(_ADVICE.format(kubeconfig=place.kubeconfig))
    url = place.gateway.read_text()
    if url:
        click.echo(f"the gateway answers on {url}, such as curl {url}/v1/models\n")
    click.echo("make sandbox-down ends it, and everything in it")


_ADVICE = """
export KUBECONFIG={kubeconfig}

kubectl get nodes                         two of processes: cpu-node runs real engines, gpu-node scripted ones
kubectl apply -f examples/quickstart      engines start as pods
kubectl get pointsman                     what became of them
"""


@main.command()
def down() -> None:
    """End it; nothing of it is kept."""
    place = Place.default()
    pid = place.pid()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: place.pid() is None, _STOP_SECONDS, "the sandbox has ended", 0.1)
    elif not place.folder.exists():
        # One that was begun with another XDG_STATE_HOME runs on, and must not be taken for gone.
        click.echo(f"there is no sandbox in {place.folder}; XDG_STATE_HOME says where one is looked for")
        return
    shutil.rmtree(place.folder, ignore_errors=True)
    click.echo("the sandbox is gone")


@main.command("run", hidden=True)
def run_command() -> None:
    """Be the sandbox, in the foreground."""
    try:
        run(Place.default())
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

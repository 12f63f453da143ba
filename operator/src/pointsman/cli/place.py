"""Where `get` and `explain` look: what `pointsman up` wrote on this machine, or a cluster as its user."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from pointsman.api import ObjectKey
from pointsman.api.resource import Resource
from pointsman.cli.cluster import Cluster
from pointsman.kube.credentials import default_kubeconfig, find_context
from pointsman.local.display.explanation import engine_processes
from pointsman.local.display.kinds import KINDS
from pointsman.local.state import StateFolder, default_state_path

_WATCH_SECONDS = 0.5

F = TypeVar("F", bound=Callable[..., Any])


class Place(Protocol):
    """Objects with their status, and what belongs to them."""

    namespace: str
    """What is meant where none is said; "" for all."""

    @property
    def is_live(self) -> bool:
        """Whether what wrote the statuses runs."""

    @property
    def mistakes(self) -> int:
        """How many findings there are about what is not shown, because it was not admitted."""

    @property
    def is_used(self) -> bool:
        """Whether anything was ever there."""

    @property
    def repair(self) -> str:
        """What to do about an object that this version cannot read."""

    def within(self, namespace: str) -> None:
        """Look at this namespace alone; "" looks at all."""

    def objects(self, kind: str) -> Sequence[dict[str, Any]]: ...

    def engines(self, deployment: ObjectKey) -> list[dict[str, Any]]:
        """The engines that run for a deployment."""

    def follow(self, kinds: Sequence[type[Resource]]) -> None:
        """From now on `objects` of these kinds are as new as `wait` leaves them."""

    def wait(self) -> None:
        """A moment."""


def place_options(command: F) -> F:
    """The options that say where to look, as kubectl has them."""
    for option in reversed(
        (
            click.option(
                "-n",
                "--namespace",
                default="",
                metavar="NS",
                help="Only this namespace.  [default: the context's; all of a state folder]",
            ),
            click.option("-A", "--all-namespaces", is_flag=True, help="Every namespace."),
            click.option(
                "--context", default="", metavar="NAME", help="A cluster, by its kubeconfig's context."
            ),
            click.option(
                "--kubeconfig",
                default="",
                metavar="FILE",
                help="The kubeconfig of a cluster.  [default: KUBECONFIG, ~/.kube/config]",
            ),
            click.option(
                "--state-dir",
                type=click.Path(path_type=Path, file_okay=False),
                metavar="DIR",
                help="The state folder of `pointsman up`.  [default: ~/.local/state/pointsman/local]",
            ),
        )
    ):
        command = option(command)
    return command


@contextmanager
def open_place(
    state_dir: Path | None, context: str, kubeconfig: str, environment: Mapping[str, str] = os.environ
) -> Iterator[Place]:
    """A cluster where one is named, or where no `up` runs here and KUBECONFIG names one, or where none has
    left anything here and there is a kubeconfig; else the state folder.

    Raises PointsmanError, and click.UsageError where both are named.
    """
    if state_dir is not None and (context or kubeconfig):
        raise click.UsageError("--state-dir is on this machine, --context and --kubeconfig are a cluster")
    state = StateFolder((state_dir or default_state_path(environment)).absolute())
    folder = StatePlace(state)
    found = default_kubeconfig(environment)
    is_named = bool(context or kubeconfig)
    is_meant = folder.is_live or (folder.is_used and not environment.get("KUBECONFIG"))
    if not is_named and (state_dir is not None or is_meant or not found):
        folder.tell_if_not_running()
        yield folder
        return
    paths = kubeconfig or found
    chosen = find_context(paths or str(Path("~/.kube/config").expanduser()), context)
    if not is_named:
        left = (
            f"does not run on this machine; --state-dir {state.path} shows what it left"
            if folder.is_used
            else "has left nothing on this machine"
        )
        click.echo(f"context {chosen.name}: `pointsman up` {left}", err=True)
    with Cluster(paths, chosen) as cluster:
        yield cluster


class StatePlace:
    """The state folder of an `up`."""

    namespace = ""
    repair = "start `pointsman up` again"

    def __init__(self, state: StateFolder) -> None:
        self._state = state

    def within(self, namespace: str) -> None:
        """The files of all namespaces are read, and a selection chooses."""

    @property
    def is_live(self) -> bool:
        return self._state.holder() is not None

    @property
    def mistakes(self) -> int:
        return len(self._state.read_findings())

    @property
    def is_used(self) -> bool:
        return any(self._state.object_paths(kind.__name__) for kind in KINDS) or self.is_live

    def objects(self, kind: str) -> Sequence[dict[str, Any]]:
        return self._state.objects(kind)

    def engines(self, deployment: ObjectKey) -> list[dict[str, Any]]:
        return engine_processes(self._state, deployment)

    def follow(self, kinds: Sequence[type[Resource]]) -> None:
        """Files are read anew each time."""

    def wait(self) -> None:
        time.sleep(_WATCH_SECONDS)

    def tell_if_not_running(self) -> None:
        """Say that what is shown is not live, on standard error."""
        if not self.is_live:
            left = (
                "; what follows is how it was when it ended"
                if self.is_used
                else " and has left nothing there"
            )
            click.echo(f"`pointsman up` does not run on {self._state.path}{left}", err=True)

"""A cluster as `get` and `explain` read it: by the rights of whoever asks, and written never."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import click

from pointsman.addresses import in_url
from pointsman.api import ObjectKey
from pointsman.api.resource import Resource
from pointsman.errors import PointsmanError
from pointsman.kube.connection import Connection, ConnectionSettings
from pointsman.kube.credentials import Context, Kubeconfig
from pointsman.kube.errors import Forbidden, KindNotServed, KubeError, Unauthorized, Unreachable
from pointsman.kube.informer import Informer
from pointsman.kube.objects import (
    GUARDRAIL_POLICY,
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    POD,
    Kind,
    KubeObject,
    is_ready,
    key_of,
    label_selector,
    labels_of,
)
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.retrying import Retries
from pointsman.workloads import PORT
from pointsman.workloads.naming import DEPLOYMENT, LEADER, ROLE

_KINDS = {kind.kind: kind for kind in (MODEL_DEPLOYMENT, MODEL_ROUTE, GUARDRAIL_POLICY)}
_PATIENCE = ConnectionSettings(connect_seconds=5.0, retries=Retries(attempts=2))
"""A person waits: one more try, for an API server that was just restarted."""
_WATCH_SECONDS = 0.5

T = TypeVar("T")


class Cluster:
    """Use it as a context manager. Every method raises PointsmanError, in one line for the person."""

    repair = "use the version of Pointsman that the cluster runs"
    is_live = True
    is_used = True
    mistakes = 0

    def __init__(self, paths: str, context: Context) -> None:
        self._context = context
        self.namespace = context.namespace
        self._connection = Connection(Kubeconfig(paths, context.name), _PATIENCE)
        self._reader = KubeReader(self._connection)
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._followed: dict[str, Informer] = {}
        self._forbidden: set[Kind] = set()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._run(self._open.enter_async_context(self._connection))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._open.aclose())
        self._runner.__exit__(kind, error, trace)

    def within(self, namespace: str) -> None:
        """Read this namespace alone; "" reads all."""
        self.namespace = namespace

    def objects(self, kind: str) -> Sequence[dict[str, Any]]:
        informer = self._followed.get(kind)
        if informer is not None:
            found: Sequence[KubeObject] = [informer.store[key] for key in sorted(informer.store)]
        else:
            found = self._readable(_KINDS[kind])
        return [_shown(one) for one in found]

    def _readable(self, kind: Kind) -> tuple[KubeObject, ...]:
        """Who may look at a namespace seldom may look at what is in none: that is said once, and no more."""
        if kind in self._forbidden:
            return ()
        try:
            return self._list(Selection(kind, self._namespace_of(kind)))
        except PointsmanError as error:
            if kind.namespaced or not isinstance(error.__cause__, Forbidden):
                raise
            click.echo(str(error), err=True)
            self._forbidden.add(kind)
            return ()

    def engines(self, deployment: ObjectKey) -> list[dict[str, Any]]:
        """The pods that answer, or will."""
        chosen = label_selector({DEPLOYMENT: deployment.name, ROLE: LEADER})
        try:
            pods = self._list(Selection(POD, deployment.namespace, labels=chosen))
        except PointsmanError as error:
            click.echo(f"pods are not shown: {error}", err=True)
            return []
        return [_engine(pod) for pod in sorted(pods, key=key_of)]

    def follow(self, kinds: Sequence[type[Resource]]) -> None:
        for kind in (_KINDS[one.__name__] for one in kinds):
            # What is wrong is said at once; later the watch comes back by itself.
            self._readable(kind)
            if kind not in self._forbidden:
                selection = Selection(kind, self._namespace_of(kind))
                self._followed[kind.kind] = Informer(self._reader, selection, keep=_shown)
        self._run(self._begin())

    def wait(self) -> None:
        self._run(asyncio.sleep(_WATCH_SECONDS))

    async def _begin(self) -> None:
        group = await self._open.enter_async_context(_Tasks())
        for informer in self._followed.values():
            group.start(informer.run())
        for informer in self._followed.values():
            await informer.synced.wait()

    def _namespace_of(self, kind: Kind) -> str:
        return self.namespace if kind.namespaced else ""

    def _list(self, selection: Selection) -> tuple[KubeObject, ...]:
        with self._in_words():
            return self._run(self._reader.list(selection))

    def _run(self, asked: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asked)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        where = f"context {self._context.name}"
        try:
            yield
        except KindNotServed as error:
            raise PointsmanError(
                "the cluster does not know Pointsman's kinds",
                where=where,
                todo="install the chart (charts/pointsman), or choose another cluster with --context",
            ) from error
        except Forbidden as error:
            raise PointsmanError(
                error.what, where=where, todo="ask for the role view in that namespace"
            ) from error
        except Unauthorized as error:
            raise PointsmanError(
                "the cluster does not accept this user", where=where, todo="log in again"
            ) from error
        except Unreachable as error:
            raise PointsmanError(
                error.what, where=where, todo="is it running, and is this the right --context?"
            ) from error
        except KubeError as error:
            raise PointsmanError(error.what, where=where, todo=error.todo) from error


class _Tasks:
    """Tasks that end with the place, whatever they do."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _shown(obj: KubeObject) -> dict[str, Any]:
    """An object without the notes of who wrote what, as kubectl shows it."""
    metadata = {name: part for name, part in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


def _engine(pod: KubeObject) -> dict[str, Any]:
    key, status = key_of(pod), pod.get("status", {})
    address = str(status.get("podIP") or "")
    return {
        "replica": key.name,
        "node": str(_of(pod, "spec").get("nodeName") or ""),
        "endpoint": f"{in_url(address)}:{PORT}" if address and is_ready(pod) else "",
        "version": labels_of(pod).get("pointsman.dev/revision", ""),
        "log": f"kubectl -n {key.namespace} logs {key.name} -c engine",
    }


def _of(obj: KubeObject, part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj.get(part) or {}
    return found

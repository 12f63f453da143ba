"""A replica of the operator that reaches the API server by way of a proxy, which breaks what a test asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy
from tests.support.cluster.installation import OPERATOR, SYSTEM, OperatorProcess
from tests.support.event_loop_thread import EventLoopThread


class _OnItsThread(FaultProxy):
    """Watches are cut by the thread that they run on: a connection that another one breaks stays open."""

    async def __aenter__(self) -> FaultProxy:
        self._loop = asyncio.get_running_loop()
        return await super().__aenter__()

    def cut_watches(self) -> None:
        self._loop.call_soon_threadsafe(super().cut_watches)


@contextmanager
def proxied(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    """The proxy, on a thread of its own."""
    proxy = _OnItsThread(control_plane.server, control_plane.access().tls_context())
    with EventLoopThread("proxy") as thread:
        thread.call(proxy.__aenter__())
        try:
            yield proxy
        finally:
            thread.call(proxy.__aexit__(None, None, None))


def operator_behind(control_plane: ControlPlane, proxy: FaultProxy, name: str) -> OperatorProcess:
    """A replica, not yet started, with the rights of the chart's account."""
    access = replace(control_plane.account_access(SYSTEM, OPERATOR), server=proxy.address)
    kubeconfig = control_plane.folder / f"{name}-behind-a-proxy.kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(access.kubeconfig(SYSTEM))
    return OperatorProcess(name, kubeconfig, control_plane.folder / f"{name}-behind-a-proxy.log", ())


PASSING = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "namespace"}
_TIMES = {"lastTransitionTime", "lastUpdateTime"}


def without_passing(value: Any) -> Any:
    """An object without what is another one each time that it is made."""
    if isinstance(value, dict):
        return {
            name: without_passing(member)
            for name, member in value.items()
            if name not in PASSING | _TIMES | {"clusterIP", "clusterIPs"}
        }
    if isinstance(value, list):
        return [without_passing(member) for member in value]
    return value

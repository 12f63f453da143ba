"""The product's connection to a real API server, straight and through a proxy that makes trouble."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Access
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy


class FixedAccess:
    """Credentials that are what they are; counts how often they were refused."""

    def __init__(self, access: Access) -> None:
        self.refused = 0
        self._access = access

    async def access(self) -> Access:
        return self._access

    def refuse(self) -> None:
        self.refused += 1


def straight(plane: ControlPlane) -> FixedAccess:
    """The administrator's access."""
    access = plane.access()
    return FixedAccess(
        Access(server=access.server, tls=access.tls_context(), authorization=f"Bearer {access.token}")
    )


def through(proxy: FaultProxy, plane: ControlPlane) -> FixedAccess:
    """The administrator's access by way of a proxy."""
    return FixedAccess(Access(server=proxy.address, tls=None, authorization=f"Bearer {plane.access().token}"))


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    async with Connection(straight(control_plane)) as opened:
        yield opened


@pytest.fixture
def reader(connection: Connection) -> KubeReader:
    return KubeReader(connection)


@pytest.fixture
def writer(connection: Connection) -> KubeWriter:
    return KubeWriter(connection)


@pytest.fixture
async def proxy(control_plane: ControlPlane) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(control_plane.server, control_plane.access().tls_context()) as started:
        yield started


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    """etcd and API server of the module's own, to be killed, paused and compacted."""
    with ControlPlane.start(Options(controller_manager=False, scheduler=False, audit=False)) as started:
        yield started

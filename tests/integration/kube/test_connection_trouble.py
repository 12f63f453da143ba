"""What the connection makes of an API server that sheds load, breaks, stalls and forgets who we are."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from pointsman.api.meta import ObjectKey
from pointsman.kube.connection import Connection, ConnectionSettings
from pointsman.kube.credentials import Access
from pointsman.kube.errors import (
    Interrupted,
    KubeError,
    LeadershipLost,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from pointsman.kube.fence import Fence
from pointsman.kube.objects import CONFIG_MAP
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.retrying import Retries
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import FixedAccess, through
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy, Forward, drop_after, drop_before, refuse, slow
from tests.support.kube_objects import config_map
from tests.support.ports import free_ports

MANAGER = "pointsman-test"
# Short waits where the server asks for none: what is tested is which requests are sent again.
HASTY = ConnectionSettings(answer_seconds=30.0, retries=Retries(attempts=4, first_seconds=0.01))


@pytest.fixture
def credentials(proxy: FaultProxy, control_plane: ControlPlane) -> FixedAccess:
    return through(proxy, control_plane)


@pytest.fixture
async def troubled(credentials: FixedAccess) -> AsyncIterator[Connection]:
    """A connection by way of the proxy."""
    async with Connection(credentials, HASTY) as opened:
        yield opened


async def test_a_storm_of_429_is_waited_out_as_long_as_the_server_asks(
    credentials: FixedAccess, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    proxy.inject(refuse(429, retry_after="1"), times=40, method="PATCH")
    # One may meet more of the refusals than another.
    patient = replace(HASTY, retries=Retries(attempts=41, first_seconds=0.01))
    async with Connection(credentials, patient) as connection:
        writer = KubeWriter(connection)
        began = time.monotonic()
        await asyncio.gather(
            *(writer.apply(config_map(f"c{number}", namespace), MANAGER) for number in range(20))
        )
    # Forty refusals for twenty writes: somebody was refused twice.
    assert time.monotonic() - began >= 2.0
    assert proxy.count("PATCH", forwarded=True) == 20
    assert proxy.count("PATCH", forwarded=False) == 40
    assert len(admin.list("v1", "ConfigMap", namespace)) >= 20


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_tried_again(
    troubled: Connection, proxy: FaultProxy, namespace: str, status: int
) -> None:
    proxy.inject(refuse(status), times=2, method="PATCH")
    await KubeWriter(troubled).apply(config_map("one", namespace), MANAGER)
    assert proxy.count("PATCH") == 3


@pytest.mark.parametrize(
    ("status", "error"), [(429, TooManyRequests), (503, Unavailable)], ids=["429", "503"]
)
async def test_what_does_not_pass_is_given_up(
    troubled: Connection, proxy: FaultProxy, namespace: str, status: int, error: type[KubeError]
) -> None:
    proxy.inject(refuse(status), times=100)
    with pytest.raises(error):
        await KubeReader(troubled).get(CONFIG_MAP, ObjectKey(namespace, "one"))
    assert proxy.count("GET") == HASTY.retries.attempts


async def test_a_broken_connection_is_tried_again_where_repeating_changes_nothing(
    troubled: Connection, proxy: FaultProxy, namespace: str
) -> None:
    proxy.inject(drop_after(), method="PATCH")
    proxy.inject(drop_before(), method="PATCH")
    applied = await KubeWriter(troubled).apply(config_map("one", namespace, data={"a": "1"}), MANAGER)
    assert applied["data"] == {"a": "1"}
    assert proxy.count("PATCH") == 3


async def test_a_create_whose_answer_was_lost_is_not_sent_again(
    troubled: Connection, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    proxy.inject(drop_after(), method="POST")
    with pytest.raises(Interrupted):
        await KubeWriter(troubled).create(config_map("one", namespace))
    assert proxy.count("POST") == 1
    assert admin.find("v1", "ConfigMap", "one", namespace) is not None


async def test_a_create_that_a_server_error_answered_is_not_sent_again(
    troubled: Connection, proxy: FaultProxy, namespace: str
) -> None:
    proxy.inject(refuse(500), method="POST")
    with pytest.raises(Unavailable):
        await KubeWriter(troubled).create(config_map("one", namespace))
    assert proxy.count("POST") == 1


async def test_a_create_that_was_refused_for_load_is_sent_again(
    troubled: Connection, proxy: FaultProxy, namespace: str
) -> None:
    proxy.inject(refuse(429), times=2, method="POST")
    await KubeWriter(troubled).create(config_map("one", namespace))
    assert proxy.count("POST") == 3


async def test_a_delete_whose_answer_was_lost_ends_with_the_object_gone(
    troubled: Connection, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    admin.create(config_map("one", namespace), namespace)
    proxy.inject(drop_after(), method="DELETE")
    await KubeWriter(troubled).delete(CONFIG_MAP, ObjectKey(namespace, "one"))
    assert admin.find("v1", "ConfigMap", "one", namespace) is None


async def test_a_slow_answer_is_given_up_and_asked_for_again(
    credentials: FixedAccess, proxy: FaultProxy, namespace: str
) -> None:
    impatient = ConnectionSettings(
        connect_seconds=0.5, answer_seconds=0.5, retries=Retries(attempts=4, first_seconds=0.01)
    )
    async with Connection(credentials, impatient) as connection:
        reader = KubeReader(connection)
        proxy.inject(slow(60.0), times=1)
        assert await reader.get(CONFIG_MAP, ObjectKey(namespace, "none")) is None
        proxy.inject(slow(60.0), times=impatient.retries.attempts)
        with pytest.raises(Interrupted):
            await reader.get(CONFIG_MAP, ObjectKey(namespace, "none"))


async def test_credentials_that_are_refused_are_read_anew_once(
    troubled: Connection, credentials: FixedAccess, proxy: FaultProxy, namespace: str
) -> None:
    reader = KubeReader(troubled)
    proxy.inject(refuse(401))
    await reader.list(Selection(CONFIG_MAP, namespace))
    assert credentials.refused == 1
    proxy.inject(refuse(401), times=2)
    with pytest.raises(Unauthorized):
        await reader.list(Selection(CONFIG_MAP, namespace))


async def test_nobody_listening_is_said_as_such(namespace: str) -> None:
    access = Access(server=f"http://127.0.0.1:{free_ports(1)[0]}", tls=None)
    async with Connection(FixedAccess(access), HASTY) as connection:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await KubeReader(connection).list(Selection(CONFIG_MAP, namespace))


async def test_a_write_that_waits_for_its_next_try_is_stopped_by_the_fence(
    troubled: Connection, proxy: FaultProxy, namespace: str
) -> None:
    """The fence is asked at each sending, not once."""
    fence = Fence()
    fence.extend(time.clock_gettime(time.CLOCK_BOOTTIME) + 60, 5.0)
    writer = KubeWriter(troubled, fence)

    async def refuse_as_the_lease_ends(_request: web.Request, _forward: Forward) -> web.StreamResponse:
        fence.close()
        return web.Response(status=503)

    proxy.inject(refuse_as_the_lease_ends, method="PATCH")
    with pytest.raises(LeadershipLost):
        await writer.apply(config_map("one", namespace), MANAGER)
    assert proxy.count("PATCH") == 1
    assert proxy.count("PATCH", forwarded=True) == 0


async def test_the_fence_is_asked_when_the_bytes_leave(
    troubled: Connection, proxy: FaultProxy, namespace: str
) -> None:
    """It closes after the request was begun: the body does not go out, and the API server sees nothing."""

    class ClosesAtTheSecondLook(Fence):
        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks > 1:
                self.close()
            super().check()

    fence = ClosesAtTheSecondLook()
    fence.extend(time.clock_gettime(time.CLOCK_BOOTTIME) + 60, 5.0)
    with pytest.raises(LeadershipLost):
        await KubeWriter(troubled, fence).apply(config_map("one", namespace), MANAGER)
    assert proxy.count("PATCH", forwarded=True) == 0
    # The connection as such goes on.
    await KubeWriter(troubled).apply(config_map("two", namespace), MANAGER)


async def test_requests_at_once_are_bounded(
    credentials: FixedAccess, proxy: FaultProxy, namespace: str
) -> None:
    running = most = 0

    async def watched(_request: web.Request, forward: Forward) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await forward()
        finally:
            running -= 1

    proxy.inject(watched, times=1000)
    async with Connection(credentials, ConnectionSettings(concurrent=4)) as connection:
        writer = KubeWriter(connection)
        await asyncio.gather(
            *(writer.apply(config_map(f"c{number}", namespace), MANAGER) for number in range(40))
        )
    assert most == 4

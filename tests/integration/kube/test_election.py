"""Election by a Lease on a real API server: takeover, handover, loss, and a leader that sleeps past it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import pytest

from pointsman.api.meta import ObjectKey
from pointsman.kube.connection import Connection, ConnectionSettings
from pointsman.kube.errors import LeadershipLost
from pointsman.kube.fence import Fence
from pointsman.kube.lease import Election, ElectionSettings
from pointsman.kube.objects import LEASE
from pointsman.kube.reader import KubeReader
from pointsman.kube.retrying import Retries
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import through
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy, drop_after, refuse, slow
from tests.support.kube_objects import config_map
from tests.support.polling import eventually_async
from tests.support.processes import StartedProcess, python_module

# Few renewals in a row may be late on a busy machine: who leads does so until a test takes its lease away.
CALM = ElectionSettings(lease_seconds=15, renew_seconds=10.0, retry_seconds=0.2)
QUICK = ElectionSettings(lease_seconds=6, renew_seconds=4.5, retry_seconds=0.2)
HASTY = ConnectionSettings(connect_seconds=2.0, answer_seconds=2.0, retries=Retries(2, 0.05))


class Replica:
    """One candidate, run as a task; `leads` while it does."""

    def __init__(
        self, connection: Connection, namespace: str, identity: str, settings: ElectionSettings = CALM
    ) -> None:
        self.fence: Fence | None = None
        self.election = Election(
            KubeReader(connection),
            KubeWriter(connection),
            ObjectKey(namespace, "pointsman-operator"),
            identity,
            settings,
        )
        self.leads = False
        self.task = asyncio.ensure_future(self.election.run(self._lead))

    async def _lead(self, fence: Fence) -> None:
        self.fence = fence
        self.leads = True
        try:
            await asyncio.Event().wait()
        finally:
            self.leads = False

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeadershipLost):
            await self.task


@pytest.fixture
async def troubled(proxy: FaultProxy, control_plane: ControlPlane) -> AsyncIterator[Connection]:
    async with Connection(through(proxy, control_plane), HASTY) as opened:
        yield opened


def holder(admin: Admin, namespace: str) -> str:
    lease = admin.get(LEASE.api_version, LEASE.kind, "pointsman-operator", namespace)
    return str(lease["spec"].get("holderIdentity", ""))


async def test_one_leads_and_a_clean_stop_hands_over_at_once(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    first = Replica(connection, namespace, "first", QUICK)
    await eventually_async(lambda: first.leads, 30, "the first leads")
    second = Replica(connection, namespace, "second", QUICK)
    renewals: set[str] = set()

    async def renewed() -> bool:
        """So often that the lease would have run out without."""
        lease = await asyncio.to_thread(
            admin.get, LEASE.api_version, LEASE.kind, "pointsman-operator", namespace
        )
        renewals.add(lease["spec"]["renewTime"])
        return len(renewals) * QUICK.retry_seconds > QUICK.lease_seconds * 1.2

    await eventually_async(renewed, 120, "the lease is renewed")
    assert first.leads
    assert not second.leads
    assert holder(admin, namespace) == "first"
    loop = asyncio.get_running_loop()
    began = loop.time()
    await first.stop()
    assert holder(admin, namespace) != "first"
    assert first.fence is not None
    assert not first.fence.is_open
    await eventually_async(lambda: second.leads, 30, "the second leads")
    assert loop.time() - began < QUICK.lease_seconds, "the lease was given back, not waited for"
    spec = admin.get(LEASE.api_version, LEASE.kind, "pointsman-operator", namespace)["spec"]
    assert spec["leaseTransitions"] >= 1
    await second.stop()


async def test_the_end_of_the_work_is_the_end_of_the_lease(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    async def lead(fence: Fence) -> None:
        fence.check()

    election = Election(
        KubeReader(connection), KubeWriter(connection), ObjectKey(namespace, "pointsman-operator"), "a", CALM
    )
    await asyncio.wait_for(election.run(lead), 30)
    assert holder(admin, namespace) == ""


async def test_an_error_of_the_work_gives_the_lease_back_and_is_raised(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    async def lead(_fence: Fence) -> None:
        raise ValueError("broken")

    election = Election(
        KubeReader(connection), KubeWriter(connection), ObjectKey(namespace, "pointsman-operator"), "a", CALM
    )
    with pytest.raises(ValueError, match="broken"):
        await asyncio.wait_for(election.run(lead), 30)
    assert holder(admin, namespace) == ""


async def test_a_leader_that_cannot_renew_stops_before_another_starts(
    troubled: Connection, connection: Connection, proxy: FaultProxy, namespace: str
) -> None:
    first = Replica(troubled, namespace, "first", QUICK)
    await eventually_async(lambda: first.leads, 30, "the first leads")
    second = Replica(connection, namespace, "second", QUICK)
    both = False

    async def look() -> bool:
        nonlocal both
        fence = first.fence
        assert fence is not None
        both = both or (second.leads and (first.leads or fence.is_open))
        return second.leads

    proxy.inject(refuse(503), times=10**6)
    await eventually_async(look, 30, "the second leads")
    assert not both
    with pytest.raises(LeadershipLost):
        await asyncio.wait_for(first.task, 30)
    await second.stop()


async def test_a_renewal_whose_answer_was_lost_keeps_the_lease(
    troubled: Connection, proxy: FaultProxy, namespace: str
) -> None:
    replica = Replica(troubled, namespace, "first")
    await eventually_async(lambda: replica.leads, 30, "it leads")
    proxy.inject(drop_after(), times=2, method="PUT")
    renewed = proxy.count("PUT")
    await eventually_async(lambda: proxy.count("PUT") > renewed + 4, 30, "it goes on to renew")
    assert replica.leads
    await replica.stop()


async def test_a_renewal_that_hangs_leaves_time_for_another(
    connection: Connection, proxy: FaultProxy, control_plane: ControlPlane, namespace: str
) -> None:
    """As with one dead API server of three behind an address."""
    async with Connection(through(proxy, control_plane)) as patient:
        replica = Replica(patient, namespace, "first")
        await eventually_async(lambda: replica.leads, 30, "it leads")
        proxy.inject(slow(60.0), times=1, method="PUT")
        renewed = proxy.count("PUT", forwarded=True)
        await eventually_async(
            lambda: proxy.count("PUT", forwarded=True) > renewed + 3, 30, "it goes on to renew"
        )
        assert replica.leads
        assert proxy.count("PUT", forwarded=False) == 1
        await replica.stop()


async def test_a_lease_that_somebody_else_took_is_lost_at_once(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    replica = Replica(connection, namespace, "first")
    await eventually_async(lambda: replica.leads, 30, "it leads")
    admin.patch(
        LEASE.api_version,
        LEASE.kind,
        "pointsman-operator",
        {"spec": {"holderIdentity": "usurper"}},
        namespace,
    )
    with pytest.raises(LeadershipLost, match="usurper"):
        await asyncio.wait_for(replica.task, 30)
    assert holder(admin, namespace) == "usurper", "it is not given back by who does not have it"


async def test_a_leader_that_slept_past_its_lease_writes_nothing_when_it_wakes(
    control_plane: ControlPlane, connection: Connection, admin: Admin, namespace: str
) -> None:
    """SIGSTOP in the middle of writing; another takes over and writes; SIGCONT."""
    command = python_module("tests.support.leading_writer", str(control_plane.kubeconfig()), namespace)
    with StartedProcess(command) as sleeper:
        await eventually_async(lambda: counter(admin, namespace) > 5, 60, "the leader writes")
        sleeper.send(signal.SIGSTOP)
        replica = Replica(connection, namespace, "second")
        await eventually_async(lambda: replica.leads, 30, "the second leads")
        await KubeWriter(connection, replica.fence).apply(
            config_map("counter", namespace, data={"count": "1000000"}), "second", force=True
        )
        sleeper.send(signal.SIGCONT)
        await eventually_async(lambda: sleeper.exit_code is not None, 30, "the first has ended")
        assert counter(admin, namespace) == 1_000_000
        last = sleeper.output.splitlines()[-1]
        assert last.startswith(("LeadershipLost", "Conflict")), sleeper.output
        assert replica.leads
        await replica.stop()


def counter(admin: Admin, namespace: str) -> int:
    found = admin.find("v1", "ConfigMap", "counter", namespace)
    return int(found["data"]["count"]) if found else 0

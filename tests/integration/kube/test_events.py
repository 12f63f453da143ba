"""Events as the real API server takes them, and kubectl would show them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.connection import Connection, ConnectionSettings
from pointsman.kube.events import EventRecorder, EventType, Occurrence
from pointsman.kube.retrying import Retries
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import through
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy, refuse
from tests.support.kube_objects import config_map

PLACED = Occurrence(EventType.NORMAL, "Placed", "on 2 × H100", "Place")
HASTY = ConnectionSettings(retries=Retries(2, 0.01))


@asynccontextmanager
async def recorder(connection: Connection, clock: Clock = elapsed_seconds) -> AsyncIterator[EventRecorder]:
    made = EventRecorder(KubeWriter(connection), "pointsman.dev/operator", "operator-0", clock=clock)
    task = asyncio.ensure_future(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait({task})


def events(admin: Admin, namespace: str) -> list[dict[str, Any]]:
    return admin.list("events.k8s.io/v1", "Event", namespace, fields="reason=Placed")


async def test_an_event_says_what_happened_to_which_object_once(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    about = admin.create(config_map("model", namespace), namespace)
    async with recorder(connection) as telling:
        for _ in range(5):
            telling.record(about, PLACED)
        await telling.flush(10)
        assert telling.failed == 0
    (event,) = events(admin, namespace)
    assert event["regarding"]["uid"] == about["metadata"]["uid"]
    assert event["note"] == "on 2 × H100"
    assert event["reportingController"] == "pointsman.dev/operator"
    # A process that starts afresh does not tell it again.
    async with recorder(connection) as telling:
        telling.record(about, PLACED)
        await telling.flush(10)
        assert telling.failed == 0
    assert len(events(admin, namespace)) == 1


async def test_what_goes_on_for_hours_becomes_a_series(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    about = admin.create(config_map("model", namespace), namespace)
    now = 0.0
    async with recorder(connection, lambda: now) as telling:
        for moment in (0.0, 60.0, 3600.0, 7300.0):
            now = moment
            telling.record(about, PLACED)
            await telling.flush(10)
        assert telling.failed == 0
    (event,) = events(admin, namespace)
    assert event["series"]["count"] == 4


async def test_a_long_note_is_cut_and_taken(connection: Connection, admin: Admin, namespace: str) -> None:
    about = admin.create(config_map("model", namespace), namespace)
    async with recorder(connection) as telling:
        telling.record(about, Occurrence(EventType.WARNING, "Placed", "ü" * 5000, "Place"))
        await telling.flush(10)
        assert telling.failed == 0
    (event,) = events(admin, namespace)
    assert event["note"].endswith("ü…")


async def test_an_api_server_that_refuses_hurts_nobody_and_the_event_may_come_again(
    proxy: FaultProxy, control_plane: ControlPlane, admin: Admin, namespace: str
) -> None:
    about = admin.create(config_map("model", namespace), namespace)
    async with (
        Connection(through(proxy, control_plane), HASTY) as connection,
        recorder(connection) as telling,
    ):
        proxy.inject(refuse(403), times=1)
        telling.record(about, PLACED)
        await telling.flush(10)
        assert telling.failed == 1
        telling.record(about, PLACED)
        await telling.flush(10)
        assert telling.failed == 1
    assert len(events(admin, namespace)) == 1


async def test_an_event_about_what_has_no_namespace_is_kept_in_the_default_one(
    connection: Connection, admin: Admin, namespace: str
) -> None:
    about = admin.get("v1", "Namespace", namespace)
    async with recorder(connection) as telling:
        telling.record(about, PLACED)
        await telling.flush(10)
        assert telling.failed == 0
    told = [event["regarding"]["name"] for event in events(admin, "default")]
    assert told.count(namespace) == 1

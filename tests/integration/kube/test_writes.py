"""Writes to a real API server: apply, conflicts, refusals, deletion."""

import pytest

from pointsman.api.meta import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Access
from pointsman.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, KindNotServed, LeadershipLost
from pointsman.kube.fence import Fence
from pointsman.kube.objects import CONFIG_MAP, LEADER_WORKER_SET, resource_version_of, uid_of
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import FixedAccess
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.kube_objects import config_map

MANAGER = "pointsman-test"


async def test_an_apply_creates_then_changes_then_removes_what_is_no_longer_wanted(
    writer: KubeWriter, reader: KubeReader, namespace: str
) -> None:
    await writer.apply(config_map("one", namespace, data={"a": "1", "b": "2"}), MANAGER)
    changed = await writer.apply(config_map("one", namespace, data={"a": "3"}), MANAGER)
    found = await reader.get(CONFIG_MAP, ObjectKey(namespace, "one"))
    assert found is not None
    assert found["data"] == changed["data"] == {"a": "3"}


async def test_members_that_are_null_are_not_sent(writer: KubeWriter, namespace: str) -> None:
    wanted = config_map("one", namespace, data={"a": "1"}) | {"immutable": None}
    assert "immutable" not in await writer.apply(wanted, MANAGER)


async def test_a_conflict_names_who_owns_which_field_and_force_takes_it(
    writer: KubeWriter, admin: Admin, namespace: str
) -> None:
    admin.apply(config_map("one", namespace, data={"a": "theirs", "b": "2"}), namespace, manager="kubectl")
    with pytest.raises(Conflict) as caught:
        await writer.apply(config_map("one", namespace, data={"a": "ours"}), MANAGER)
    assert caught.value.managers == ("kubectl",)
    assert caught.value.fields == (".data.a",)
    taken = await writer.apply(config_map("one", namespace, data={"a": "ours"}), MANAGER, force=True)
    assert taken["data"] == {"a": "ours", "b": "2"}


async def test_an_apply_over_a_version_that_is_past_is_a_conflict_without_managers(
    writer: KubeWriter, namespace: str
) -> None:
    first = await writer.apply(config_map("one", namespace, data={"a": "1"}), MANAGER)
    await writer.apply(config_map("one", namespace, data={"a": "2"}), MANAGER)
    late = config_map("one", namespace, data={"a": "3"})
    late["metadata"]["resourceVersion"] = resource_version_of(first)
    with pytest.raises(Conflict) as caught:
        await writer.apply(late, MANAGER)
    assert caught.value.managers == ()


async def test_an_apply_to_an_object_of_another_uid_is_a_conflict_and_creates_nothing(
    writer: KubeWriter, reader: KubeReader, namespace: str
) -> None:
    wanted = config_map("gone", namespace)
    wanted["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"
    with pytest.raises(Conflict):
        await writer.apply(wanted, MANAGER)
    assert await reader.get(CONFIG_MAP, ObjectKey(namespace, "gone")) is None


async def test_what_the_api_server_refuses_names_the_fields(writer: KubeWriter, namespace: str) -> None:
    wanted = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"ports": [{"port": 99999}]},
    }
    with pytest.raises(Invalid) as caught:
        await writer.apply(wanted, MANAGER)
    assert "spec.ports[0].port" in [cause.field for cause in caught.value.causes]


async def test_a_misspelt_field_is_refused(writer: KubeWriter, namespace: str) -> None:
    with pytest.raises(Invalid) as caught:
        await writer.apply(config_map("one", namespace) | {"dota": {}}, MANAGER)
    assert "dota" in str(caught.value)


async def test_status_is_applied_by_itself(
    writer: KubeWriter, connection: Connection, namespace: str
) -> None:
    claim = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
    }
    await writer.apply(claim, MANAGER)
    status = {"observedGeneration": 1, "currentHealthy": 0, "desiredHealthy": 1, "disruptionsAllowed": 0}
    written = await writer.apply_status(
        {**claim, "spec": {"minAvailable": 7}, "status": {**status, "expectedPods": 3}}, MANAGER
    )
    assert written["status"]["expectedPods"] == 3
    assert written["spec"]["minAvailable"] == 1


async def test_only_the_object_with_the_uid_is_deleted(
    writer: KubeWriter, reader: KubeReader, namespace: str
) -> None:
    key = ObjectKey(namespace, "one")
    there = await writer.apply(config_map("one", namespace), MANAGER)
    assert not await writer.delete(CONFIG_MAP, key, uid="11111111-1111-1111-1111-111111111111")
    assert await reader.get(CONFIG_MAP, key) is not None
    assert await writer.delete(CONFIG_MAP, key, uid=uid_of(there))
    assert not await writer.delete(CONFIG_MAP, key)
    assert await reader.get(CONFIG_MAP, key) is None


async def test_creating_what_is_there_says_so(writer: KubeWriter, namespace: str) -> None:
    await writer.create(config_map("one", namespace))
    with pytest.raises(AlreadyExists):
        await writer.create(config_map("one", namespace))


async def test_a_kind_that_is_not_installed_is_told_apart(
    reader: KubeReader, writer: KubeWriter, namespace: str
) -> None:
    with pytest.raises(KindNotServed):
        await reader.list(Selection(LEADER_WORKER_SET))
    with pytest.raises(KindNotServed):
        await reader.get(LEADER_WORKER_SET, ObjectKey(namespace, "one"))
    with pytest.raises(KindNotServed):
        await writer.delete(LEADER_WORKER_SET, ObjectKey(namespace, "one"))


async def test_a_kind_that_we_do_not_know_is_our_mistake(writer: KubeWriter) -> None:
    with pytest.raises(PointsmanError, match="no such kind"):
        await writer.apply({"apiVersion": "v9", "kind": "Thing", "metadata": {"name": "x"}}, MANAGER)


async def test_what_is_not_allowed_says_who_may_not_what(control_plane: ControlPlane) -> None:
    nobody = control_plane.access("nobody")
    access = Access(server=nobody.server, tls=nobody.tls_context())
    async with Connection(FixedAccess(access)) as connection:
        with pytest.raises(Forbidden, match="nobody"):
            await KubeReader(connection).list(Selection(CONFIG_MAP))


async def test_a_closed_fence_lets_nothing_out(
    connection: Connection, reader: KubeReader, namespace: str
) -> None:
    now = 100.0
    fence = Fence(lambda: now)
    writer = KubeWriter(connection, fence)
    with pytest.raises(LeadershipLost):
        await writer.apply(config_map("never-led", namespace), MANAGER)
    fence.extend(110.0, 5.0)
    await writer.apply(config_map("leads", namespace), MANAGER)
    now = 110.0
    with pytest.raises(LeadershipLost):
        await writer.apply(config_map("too-late", namespace), MANAGER)
    found = {obj["metadata"]["name"] for obj in await reader.list(Selection(CONFIG_MAP, namespace))}
    assert {"never-led", "leads", "too-late"} & found == {"leads"}


@pytest.mark.parametrize("megabytes", [1.7, 2.2, 4.0])
async def test_what_is_too_large_is_refused_and_not_sent_again(
    megabytes: float, writer: KubeWriter, namespace: str
) -> None:
    """Too large for etcd, for what lies between it and the API server, and for the API server to read."""
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "large", "namespace": namespace},
        "revision": 1,
        "data": {"text": "a" * int(megabytes * 1e6)},
    }
    with pytest.raises(Invalid):
        await writer.apply(wanted, MANAGER)

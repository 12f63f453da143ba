"""Watches that close, that come late, and whose past is gone: what comes of it is the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.operator.by_way_of import operator_behind
from tests.integration.operator.deployments import API, KIND, own, scale, wait_for_replicas, wait_until
from tests.integration.operator.test_crashes import Revived, end_state, through_all_steps
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy
from tests.support.cluster.installation import Installation
from tests.support.polling import eventually

_CUT_EVERY_SECONDS = 0.7


@contextmanager
def cut_again_and_again(proxy: FaultProxy) -> Iterator[None]:
    over = threading.Event()

    def cut() -> None:
        while not over.wait(_CUT_EVERY_SECONDS):
            proxy.cut_watches()

    thread = threading.Thread(target=cut, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.timeout(300)
def test_watches_that_close_again_and_again(
    admin: Admin, namespace: str, control_plane: ControlPlane, proxy: FaultProxy
) -> None:
    operator = operator_behind(control_plane, proxy, "operator-0")
    with operator, Revived(operator), cut_again_and_again(proxy):
        through_all_steps(admin, namespace)
    found = end_state(admin, namespace)
    assert found["Deployment"]["spec"]["replicas"] == 3
    assert [number for number, _ in found["revisions"]] == [1, 2]


@pytest.mark.timeout(300)
def test_watches_that_tell_everything_late(
    admin: Admin, namespace: str, control_plane: ControlPlane, proxy: FaultProxy
) -> None:
    proxy.watches.delay_seconds = 2.0
    with operator_behind(control_plane, proxy, "operator-0"):
        through_all_steps(admin, namespace)
    writes = [one for one in proxy.seen if one.method == "PATCH" and f"/{namespace}/deployments/" in one.path]
    assert len(writes) == 3, "created, changed, scaled: what is known late is not written twice"


@pytest.mark.timeout(300)
def test_what_went_while_the_past_was_compacted_is_not_made_again(
    admin: Admin, namespace: str, control_plane: ControlPlane, installation: Installation
) -> None:
    """Deleted behind the operator's back; the API server starts without memory, and etcd has forgotten."""
    operator = installation.operator()
    with operator, Revived(operator):
        for name in ("kept", "deleted"):
            admin.create(own(name), namespace)
            wait_until(admin, name, namespace, 120, Ready=("True", "ReplicasReady"))
        operator.pause()
        admin.delete(API, KIND, "deleted", namespace)
        admin.wait_gone("apps/v1", "Deployment", "deleted", namespace)
        control_plane.compact_etcd()
        control_plane.restart_api_server()
        operator.resume()
        eventually(lambda: admin.find(API, KIND, "kept", namespace), 60, "the API server answers")
        scale(admin, namespace, 2, "kept")
        wait_for_replicas(admin, namespace, 2, "kept")
        admin.create(own("after"), namespace)
        wait_until(admin, "after", namespace, 120, Ready=("True", "ReplicasReady"))
    for api_version, kind in (
        ("apps/v1", "Deployment"),
        ("v1", "Service"),
        ("apps/v1", "ControllerRevision"),
    ):
        names = {
            one["metadata"]["labels"]["pointsman.dev/deployment"]
            for one in admin.list(api_version, kind, namespace)
        }
        assert names == {"kept", "after"}, kind

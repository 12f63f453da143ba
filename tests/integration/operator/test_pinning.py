"""Weights of a branch are those of one commit, and a hub that does not say which holds nobody up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.workloads import frozen_rendering
from tests.integration.operator.deployments import API, KIND, message, own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import Installation
from tests.support.event_loop_thread import EventLoopThread
from tests.support.hub import Hub, HubRepository

Json = dict[str, Any]

FIRST, SECOND = "a" * 40, "b" * 40
FILES = {"m.gguf": b"GGUF"}
DEPLOYMENT = ("apps/v1", "Deployment")
_CALL_SECONDS = 10.0


@pytest.fixture
def hub() -> Iterator[Hub]:
    one, hidden = HubRepository(FIRST, FILES), HubRepository(FIRST, FILES, token="hush")
    served = Hub({"acme/one": one, "acme/hidden": hidden})
    with EventLoopThread() as thread:
        thread.call(served.__aenter__(), _CALL_SECONDS)
        yield served
        thread.call(served.__aexit__(None, None, None), _CALL_SECONDS)


def fetched(name: str, source: str) -> Json:
    made = own(name)
    made["spec"]["model"]["source"] = source
    return made


def items(deployment: Json) -> list[Json]:
    """What the pods are told to fetch."""
    arguments = deployment["spec"]["template"]["spec"]["initContainers"][0]["args"]
    return [json.loads(one) for one in arguments if one.startswith("{")]


def test_a_branch_is_looked_up_once_and_moves_with_a_refresh_alone(
    admin: Admin, namespace: str, installation: Installation, hub: Hub
) -> None:
    with installation.operator(arguments=("--hub", hub.url)):
        admin.create(fetched("chat", "hf://acme/one/m.gguf"), namespace)
        found = wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
        assert found["status"]["weightsRevision"] == FIRST
        assert found["status"]["model"] == "acme/one@aaaa"
        before = admin.get(*DEPLOYMENT, "chat", namespace)
        assert [one["revision"] for one in items(before)] == [FIRST]
        [kept] = admin.list("apps/v1", "ControllerRevision", namespace)
        assert frozen_rendering(kept).weights_revision == FIRST

        hub.repositories = {"acme/one": HubRepository(SECOND, FILES)}
        admin.patch(API, KIND, "chat", {"spec": {"engine": {"maxConcurrency": 3}}}, namespace)
        after = admin.wait_for(
            *DEPLOYMENT, "chat", namespace, until=lambda one: one["spec"] != before["spec"]
        )
        assert [one["revision"] for one in items(after)] == [FIRST]
        assert hub.questions == 1

        admin.patch(API, KIND, "chat", {"spec": {"refresh": "today"}}, namespace)
        admin.wait_for(*DEPLOYMENT, "chat", namespace, until=lambda one: items(one)[0]["revision"] == SECOND)
        assert hub.tokens == {""}


def test_what_cannot_be_looked_up_is_served_and_said(
    admin: Admin, namespace: str, installation: Installation, hub: Hub
) -> None:
    with installation.operator(arguments=("--hub", hub.url)):
        admin.create(fetched("chat", "hf://acme/hidden/m.gguf"), namespace)
        found = wait_until(
            admin, "chat", namespace, WeightsAvailable=("True", "NotPinned"), Ready=("True", "ReplicasReady")
        )
        assert "hf://acme/hidden@main is not pinned" in message(found, "WeightsAvailable")
        assert "weightsRevision" not in found["status"]

        def said() -> list[str]:
            events = admin.list("events.k8s.io/v1", "Event", namespace)
            return [one["note"] for one in events if one["reason"] == "RevisionNotResolved"]

        admin.wait_for(*DEPLOYMENT, "chat", namespace, until=lambda _: bool(said()))
        assert "which has no token" in said()[0]

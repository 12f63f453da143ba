"""Objects that the API server holds and the operator cannot read, as after an upgrade of the definitions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.integration.operator.deployments import API, conditions, message, own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.installation import Installation
from tests.support.polling import eventually

Json = dict[str, Any]

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
PLURALS = ("modeldeployments.pointsman.dev", "modelroutes.pointsman.dev")
WRONG_ROUTE = {
    "apiVersion": API,
    "kind": "ModelRoute",
    "metadata": {"name": "chat"},
    "spec": {"models": ["chat"], "rules": [{"targets": [{"deployment": "chat", "weight": "much"}]}]},
}


@pytest.fixture
def loose_definitions(admin: Admin, installation: Installation) -> Iterator[None]:
    """The API server takes any spec, as that of a version with other rules would."""
    strict = {name: admin.get(*CRD, name) for name in PLURALS}
    for name, definition in strict.items():
        loose = copy.deepcopy(definition)
        schema = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema.pop("x-kubernetes-validations", None)
        schema["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        admin.patch(*CRD, name, {"spec": {"versions": loose["spec"]["versions"]}})
    yield
    for name, definition in strict.items():
        admin.patch(*CRD, name, {"spec": {"versions": definition["spec"]["versions"]}})


def taken(write: Callable[[], Json]) -> None:
    """The API server takes a new schema into use a moment after it has it."""

    def is_taken() -> bool:
        try:
            write()
        except ApiError as error:
            if error.status != 422:
                raise
            return False
        return True

    eventually(is_taken, 30, "the API server takes it")


def events(admin: Admin, namespace: str, kind: str) -> list[Json]:
    return [one for one in admin.list("v1", "Event", namespace) if one["involvedObject"]["kind"] == kind]


@pytest.mark.usefixtures("operator", "loose_definitions")
def test_a_route_says_that_it_cannot_be_read_until_it_can(admin: Admin, namespace: str) -> None:
    taken(partial(admin.create, WRONG_ROUTE, namespace))
    found = admin.wait_for(
        API,
        "ModelRoute",
        "chat",
        namespace,
        until=lambda route: conditions(route).get("Accepted") == ("False", "InvalidSpec"),
    )
    assert message(found, "Accepted").startswith(
        "spec.rules[0].targets[0].weight: must be a whole number, not text;"
    )
    assert conditions(found)["Ready"] == ("False", "InvalidSpec")
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    said = eventually(lambda: events(admin, namespace, "ModelRoute"), 30, "an event says so too")
    assert [one["reason"] for one in said] == ["InvalidSpec"]
    right = {"rules": [{"targets": [{"deployment": "chat", "weight": 100}]}]}
    admin.patch(API, "ModelRoute", "chat", {"spec": right}, namespace)
    admin.wait_for(
        API,
        "ModelRoute",
        "chat",
        namespace,
        until=lambda route: conditions(route).get("Accepted") == ("True", "Accepted"),
    )


@pytest.mark.usefixtures("operator", "loose_definitions")
def test_a_deployment_that_becomes_unreadable_keeps_what_runs(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    found = wait_until(admin, "chat", namespace, Placed=("False", "NoNode"))
    assert message(found, "Ready") == "the cluster has no node for pods"
    before = admin.get("apps/v1", "Deployment", "chat", namespace)

    wrong = {"spec": {"engine": {"name": 7}}}
    taken(partial(admin.patch, API, "ModelDeployment", "chat", wrong, namespace))
    after = wait_until(admin, "chat", namespace, Progressing=("False", "InvalidSpec"))
    assert message(after, "Ready").startswith("spec.engine.name: must be one of ")
    assert after["status"]["selector"] == found["status"]["selector"]
    assert admin.get("apps/v1", "Deployment", "chat", namespace)["spec"] == before["spec"]
    admin.patch(API, "ModelDeployment", "chat", {"spec": {"engine": {"name": "llama.cpp"}}}, namespace)
    wait_until(admin, "chat", namespace, Placed=("False", "NoNode"))

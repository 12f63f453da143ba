"""A policy is applied before the kinds that it is for are served: it says so, and holds by itself then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.policies.saying import (
    API,
    condition,
    deployment,
    natives_of,
    refusal,
    wait_ready,
    withdraw,
)
from tests.support.cluster.admin import Admin
from tests.support.cluster.definitions import wait_served
from tests.support.cluster.installation import Installation
from tests.support.policies import rule
from tests.support.polling import eventually

Json = dict[str, Any]

_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


@pytest.fixture
def unserved(admin: Admin, installation: Installation) -> Iterator[list[Json]]:
    """The definitions of models and routes, which are gone: as before a chart has brought them all."""
    found = [
        admin.get(*_DEFINITION, f"{plural}.pointsman.dev") for plural in ("modeldeployments", "modelroutes")
    ]
    for one in found:
        admin.delete(*_DEFINITION, one["metadata"]["name"])
        admin.wait_gone(*_DEFINITION, one["metadata"]["name"])
    yield found
    for one in found:
        _install(admin, one)


def _install(admin: Admin, definition: Json) -> None:
    name = definition["metadata"]["name"]
    kept = {part: definition[part] for part in ("apiVersion", "kind", "spec")}
    admin.apply({**kept, "metadata": {"name": name}}, force=True)
    wait_served(admin, definition)


def test_a_policy_comes_before_what_it_is_for(
    admin: Admin, namespace: str, installation: Installation, unserved: list[Json]
) -> None:
    spec = {"mode": "enforce", "rules": [rule("OWN-1")]}
    with installation.operator():
        admin.create(
            {"apiVersion": API, "kind": "GuardrailPolicy", "metadata": {"name": namespace}, "spec": spec}
        )

        said = eventually(lambda: _waits(admin, namespace), 90, "it says what it waits for")
        assert said == "the API server serves no ModelDeployment yet; once it does, the rules hold"
        assert natives_of(admin, namespace)
        for one in unserved:
            _install(admin, one)

        wait_ready(admin, namespace)
        eventually(
            lambda: "[OWN-1]" in refusal(admin, deployment("new"), namespace), 60, "the rules are held"
        )
        withdraw(admin, namespace)


def _waits(admin: Admin, policy: str) -> str:
    found = condition(admin, policy, "Enforced")
    return str(found["message"]) if found.get("reason") == "NotServed" else ""

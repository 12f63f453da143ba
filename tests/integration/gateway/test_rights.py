"""What a gateway's account may do, asked of the real authorizer; and that no key goes where it may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.gateway.conftest import SECRETS_OF
from tests.integration.gateway.scene import Scene, answers, programming
from tests.integration.gateway.test_route_status import GATEWAYS, announce
from tests.support import manifests
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.installation import GATEWAY, SYSTEM, Installation
from tests.support.own_address import own_address
from tests.support.polling import eventually

Rule = tuple[str, str, str]
"""API group, resource and verb."""

EVERYWHERE = {
    (group, resource, verb)
    for group, resource in (
        ("pointsman.dev", "modeldeployments"),
        ("pointsman.dev", "modelroutes"),
        ("discovery.k8s.io", "endpointslices"),
    )
    for verb in ("list", "watch")
}
OPTED_IN = {("", "secrets", "list"), ("", "secrets", "watch")}
OF_EVERY_ACCOUNT = {"authorization.k8s.io", "authentication.k8s.io"}


@pytest.fixture
def account(installation: Installation) -> Iterator[Admin]:
    """The API as a gateway sees it."""
    with Admin(installation.control_plane.account_access(SYSTEM, GATEWAY)) as admin:
        # Other tests give it other rights; the authorizer hears of a change by a watch.
        eventually(
            lambda: rules(admin, SECRETS_OF) == EVERYWHERE | OPTED_IN, 30, "its rights are the chart's"
        )
        yield admin


def rules(account: Admin, namespace: str) -> set[Rule]:
    """All that it may do in a namespace, as the API server's authorizer lists it."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = account.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)[
        "status"
    ]
    assert status["incomplete"] is False
    return {
        (group, resource, verb)
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if group not in OF_EVERY_ACCOUNT
    }


def refused(account: Admin, kind: str, namespace: str, name: str = "") -> None:
    with pytest.raises(ApiError) as caught:
        account.get("v1", kind, name, namespace) if name else account.list("v1", kind, namespace)
    assert caught.value.status == 403


def test_it_reads_what_it_routes_and_secrets_where_they_were_opted_in(account: Admin, scene: Scene) -> None:
    assert rules(account, scene.namespace) == EVERYWHERE
    assert rules(account, SYSTEM) == EVERYWHERE
    assert rules(account, SECRETS_OF) == EVERYWHERE | OPTED_IN


def test_no_other_secret_and_no_pod_is_shown_to_it(account: Admin, scene: Scene) -> None:
    scene.create(manifests.secret("hidden", {"key": "sk-1"}, namespace=scene.namespace))
    account.list("v1", "Secret", SECRETS_OF)
    for namespace in (scene.namespace, SYSTEM, ""):
        refused(account, "Secret", namespace)
        refused(account, "Pod", namespace)
    refused(account, "Secret", scene.namespace, "hidden")
    refused(account, "Pod", SECRETS_OF)


def hosted_with(key: str, name: str, provider: Any) -> dict[str, Any]:
    url = f"http://{provider.host}:{provider.port}/v1"
    return manifests.hosted(name, url, namespace=SECRETS_OF, secret=(key, "key"))


@pytest.fixture
def keys(admin: Admin, scene: Scene) -> Iterator[str]:
    """A Secret that names the host it is for, which is another than the one where it is about to be sent."""
    name = f"key-of-{scene.namespace}"
    admin.create(
        manifests.secret(name, {"key": "sk-1"}, namespace=SECRETS_OF, allowed_hosts=["api.example.com"])
    )
    yield name
    for kind in ("ModelRoute", "ModelDeployment"):
        admin.delete("pointsman.dev/v1alpha1", kind, scene.namespace, SECRETS_OF)
    admin.delete("v1", "Secret", name, SECRETS_OF)


def test_a_key_does_not_go_to_a_host_that_its_secret_does_not_name(
    scene: Scene, admin: Admin, keys: str
) -> None:
    name, thief = scene.namespace, scene.engine("thief")
    gateway = scene.gateway("gateway-0", "--secrets-of", SECRETS_OF, host=own_address())
    announce(scene, gateway)
    scene.operator(*GATEWAYS)
    admin.create(hosted_with(keys, name, thief))
    admin.create(manifests.route(name, [name], namespace=SECRETS_OF))
    why = f"Secret {SECRETS_OF}/{keys} does not allow its keys to go to {thief.host}"

    def told() -> bool:
        said = programming(gateway).get(f"{SECRETS_OF}/{name}", {})
        assert why in said.get("unusable", {}).get(name, ""), str(said)
        found = admin.get("pointsman.dev/v1alpha1", "ModelRoute", name, SECRETS_OF).get("status", {})
        conditions = {one["type"]: one for one in found.get("conditions", ())}
        ready = conditions.get("Ready", {})
        assert ready.get("status") == "False", str(found)
        assert why in ready["message"], str(found)
        return True

    eventually(told, 30, "the gateway and the route's status say why")
    answers(gateway, name, 503)
    assert thief.log.total == 0
    allowed = {"metadata": {"annotations": {"pointsman.dev/allowed-hosts": thief.host}}}
    admin.patch("v1", "Secret", keys, allowed, SECRETS_OF)
    assert answers(gateway, name) == f"{SECRETS_OF}/{name}"
    assert thief.log.total > 0

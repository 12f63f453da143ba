"""From what watches tell to what a gateway serves, and what it says of the rest."""

from __future__ import annotations

from typing import Any

from pointsman.gateway.cluster.endpoints import ReadyEndpoints, in_slice
from pointsman.gateway.cluster.inputs import ClusterInputs
from pointsman.kube.objects import MODEL_DEPLOYMENT, MODEL_ROUTE, NAMESPACE, SECRET, Kind
from pointsman.routing import RouteProgramming
from pointsman.routing.targets import NO_ADAPTER
from tests.support import manifests
from tests.support.builders import fleet, key

Json = dict[str, Any]
PROVIDER = "https://api.example.com/v1"
SERVED = RouteProgramming(True, True, "Programmed", "", 1)


def inputs(*secrets_of: str, **settings: Any) -> ClusterInputs:
    return ClusterInputs(fleet(**settings), secrets_of, ReadyEndpoints(in_slice))


def hear(one: ClusterInputs, kind: Kind, obj: Json) -> bool:
    return one.hear(kind, None, obj)


def edited(obj: Json, generation: int, **spec: Any) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "generation": generation}, "spec": {**obj["spec"], **spec}}


def secret(name: str, **stated: Any) -> Json:
    """As an API server gives it: values under data."""
    made = manifests.secret(name, {}, **stated)
    return {**made, "data": {"key": "c2stMQ=="}}


def test_a_written_status_changes_nothing() -> None:
    one = inputs()
    deployment, route = manifests.deployment("a"), manifests.route("chat", ["a"])
    assert hear(one, MODEL_DEPLOYMENT, deployment)
    assert hear(one, MODEL_ROUTE, route)
    before = one.refresh()
    assert not hear(one, MODEL_ROUTE, {**route, "status": {"summary": "a"}})
    labelled = {**deployment, "metadata": {**deployment["metadata"], "labels": {"team": "x"}}}
    assert not hear(one, MODEL_DEPLOYMENT, labelled)
    after = one.refresh()
    assert after.routes[key("chat")] is before.routes[key("chat")]
    assert after.deployments[key("a")] is before.deployments[key("a")]
    assert after.endpoints is before.endpoints


def test_an_edit_that_is_refused_leaves_what_serves() -> None:
    one = inputs()
    route = manifests.route("chat", ["a"])
    hear(one, MODEL_DEPLOYMENT, manifests.deployment("a"))
    hear(one, MODEL_ROUTE, route)
    served = one.refresh().routes[key("chat")]
    hear(one, MODEL_ROUTE, edited(route, 2, limits={"maxOutputTokens": 1}))
    assert one.refresh().routes[key("chat")] is served
    said = one.told({key("chat"): SERVED})[key("chat")]
    assert (said.accepted, said.reason, said.generation) == (False, "InvalidSpec", 2)
    hear(one, MODEL_ROUTE, edited(route, 3))
    one.refresh()
    assert one.told({key("chat"): SERVED})[key("chat")] is SERVED


def test_labels_of_a_namespace_give_its_routes_their_names() -> None:
    claim = {"namespaceSelector": {"matchLabels": {"team": "a"}}, "models": ["chat"]}
    one = inputs(gateway={"names": [claim]})
    hear(one, MODEL_ROUTE, manifests.route("chat", ["a"]))
    assert one.refresh().routes == {}
    assert 'may not claim "chat"' in one.told({})[key("chat")].message
    without: Json = {"kind": "Namespace", "metadata": {"name": "default", "labels": {"other": "x"}}}
    given = {**without, "metadata": {**without["metadata"], "labels": {"team": "a"}}}
    one.hear(NAMESPACE, None, without)
    assert not one.hear(NAMESPACE, without, {**without, "status": {"phase": "Active"}})
    assert one.hear(NAMESPACE, without, given)
    assert key("chat") in one.refresh().routes
    assert one.told({key("chat"): SERVED})[key("chat")] is SERVED
    assert one.hear(NAMESPACE, given, None)
    assert one.refresh().routes == {}


def test_a_first_version_that_is_refused_is_not_served() -> None:
    one = inputs()
    hear(one, MODEL_ROUTE, edited(manifests.route("chat", ["a"]), 1, limits={"maxOutputTokens": 1}))
    assert one.refresh().routes == {}
    assert one.told({})[key("chat")].reason == "InvalidSpec"


def test_what_may_no_longer_receive_the_data_is_not_served_by_the_former_version_either() -> None:
    one = inputs()
    deployment = manifests.deployment("a", data_classes=["internal"])
    hear(one, MODEL_DEPLOYMENT, deployment)
    hear(one, MODEL_ROUTE, manifests.route("chat", ["a"], data_class="internal"))
    assert key("chat") in one.refresh().routes
    hear(one, MODEL_DEPLOYMENT, edited(deployment, 2, dataClasses=["public"]))
    assert one.refresh().routes == {}


def test_a_private_host_is_not_reached_unless_the_platform_names_it() -> None:
    for allowed, reached in (([], False), (["10.0.0.9"], True)):
        one = inputs(gateway={"allowedPrivateHosts": allowed})
        hear(one, MODEL_DEPLOYMENT, manifests.hosted("a", "http://10.0.0.9/v1"))
        hear(one, MODEL_ROUTE, manifests.route("chat", ["a"]))
        assert (key("a") in one.refresh().deployments) is reached
        said = one.told({key("chat"): SERVED})[key("chat")]
        assert [name for name, _ in said.unusable] == ([] if reached else ["a"])


def test_a_route_may_come_before_its_deployment_lists_the_adapter() -> None:
    one = inputs()
    hear(one, MODEL_ROUTE, manifests.route("chat", ["a/de", "a"]))
    said = []
    for generation, adapters in ((1, []), (2, ["de"]), (3, [])):
        hear(one, MODEL_DEPLOYMENT, manifests.deployment("a", adapters=adapters, generation=generation))
        assert key("chat") in one.refresh().routes
        said.append(dict(one.told({key("chat"): SERVED})[key("chat")].unusable))
    assert said == [{"a/de": NO_ADAPTER}, {}, {"a/de": NO_ADAPTER}]


def test_an_unreadable_edit_leaves_the_last_that_could_be_read() -> None:
    one = inputs()
    route = manifests.route("chat", ["a"])
    hear(one, MODEL_ROUTE, route)
    one.refresh()
    hear(one, MODEL_ROUTE, edited(route, 2, rules=[]))
    assert key("chat") in one.refresh().routes
    said = one.told({})[key("chat")]
    assert (said.accepted, said.generation) == (False, 2)
    assert "spec.rules" in said.message


def test_secrets_of_other_namespaces_are_not_kept_and_that_is_said() -> None:
    one = inputs("open")
    for namespace in ("open", "default"):
        hear(one, SECRET, secret("openai", namespace=namespace, allowed_hosts=["api.example.com"]))
        hosted = manifests.hosted("b", PROVIDER, namespace=namespace, secret=("openai", "key"))
        hear(one, MODEL_DEPLOYMENT, hosted)
        hear(one, MODEL_ROUTE, manifests.route(namespace, ["b"], namespace=namespace))
    assert list(one.refresh().secrets) == [key("open/openai")]
    said = one.told({key("open/open"): SERVED, key("default"): SERVED})
    assert said[key("open/open")] is SERVED
    [(target, why)] = said[key("default")].unusable
    assert target == "b"
    assert why.startswith(
        "Secret default/openai is not used: gateways do not read Secrets of namespace default"
    )


def test_a_route_whose_clients_keys_are_not_read_says_so() -> None:
    one = inputs()
    hear(one, MODEL_ROUTE, manifests.route("chat", ["a"], api_keys={"team": "chat"}))
    one.refresh()
    assert "nobody may call this route" in one.told({key("chat"): SERVED})[key("chat")].unresolved


def test_what_a_secret_holds_is_taken_and_what_else_changes_is_not() -> None:
    one = inputs("default")
    held = secret("openai")
    assert hear(one, SECRET, held)
    assert not hear(one, SECRET, {**held, "metadata": {**held["metadata"], "annotations": {"x": "y"}}})
    assert hear(one, SECRET, {**held, "data": {"key": "c2stMg=="}})
    assert one.refresh().secrets[key("openai")].value("key") == b"sk-2"
    assert "sk-2" not in repr(one.given)


def test_what_is_gone_is_not_served() -> None:
    one = inputs()
    deployment, route = manifests.deployment("a"), manifests.route("chat", ["a"])
    hear(one, MODEL_DEPLOYMENT, deployment)
    hear(one, MODEL_ROUTE, route)
    one.refresh()
    assert one.hear(MODEL_ROUTE, route, None)
    assert one.hear(MODEL_DEPLOYMENT, deployment, None)
    assert (one.refresh().routes, one.given.deployments) == ({}, {})

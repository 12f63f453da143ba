"""What is said of a route: by its gateways, by what its targets are like, by who else wants its name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pointsman.addresses import Address
from pointsman.controller.modelroute.book import RouteBook
from pointsman.controller.modelroute.decide import decide, together
from pointsman.controller.modelroute.snapshot import Lost, RouteSnapshot
from pointsman.kube.gateways import ready_addresses
from pointsman.routing import RouteProgramming
from pointsman.routing.programming import programming_json, read_programming
from pointsman.routing.route_status import NOT_FOUND
from pointsman.routing.targets import NO_ADAPTER
from tests.support import builders, manifests
from tests.support.builders import key

USED = RouteProgramming(True, True, "Programmed", "", 2)
OLD = replace(USED, generation=1)
PENDING = RouteProgramming(True, False, "Pending", "Envoy has not confirmed it yet", 2)
REFUSED = RouteProgramming(False, False, "RefusedByEnvoy", "Envoy refused the scope: bad regex", 2)
ROUTE = builders.route("chat", ["a"], generation=2)


@dataclass(frozen=True)
class Case:
    gateways: tuple[RouteProgramming | None, ...]
    programmed: str
    ready: str
    accepted: str = "True Accepted"
    refusal: str = ""
    lost: Lost | None = None
    unready: dict[str, str] = field(default_factory=dict)
    references: str = "True Resolved"


CASES = {
    "no gateway is known": Case((), "Unknown NoGateway", "Unknown NoGateway"),
    "one has it in use": Case((USED,), "True Programmed", "True TargetsReady"),
    "all have": Case((USED, USED), "True Programmed", "True TargetsReady"),
    "one of two has not confirmed it": Case((USED, PENDING), "False Pending", "Unknown Pending"),
    "one of two has the former version": Case((OLD, USED), "False Pending", "Unknown Pending"),
    "one of two does not know it": Case((USED, None), "False Pending", "Unknown Pending"),
    "one of two refuses it": Case(
        (USED, REFUSED), "False RefusedByEnvoy", "False RefusedByEnvoy", "False RefusedByEnvoy"
    ),
    "one refused the former version": Case(
        (replace(REFUSED, generation=1),), "False Pending", "Unknown Pending"
    ),
    "its target cannot answer": Case(
        (USED,), "True Programmed", "False NoTargetReady", unready={"a": "weights are fetched"}
    ),
    "its target does not exist": Case(
        (USED,),
        "True Programmed",
        "False NoTargetReady",
        unready={"a": NOT_FOUND},
        references="False DeploymentNotFound",
    ),
    "its adapter is not listed": Case(
        (USED,),
        "True Programmed",
        "False NoTargetReady",
        unready={"a": NO_ADAPTER},
        references="False AdapterNotFound",
    ),
    "a gateway cannot use its target": Case(
        (USED, replace(USED, unusable=(("a", "Secret default/b is not used"),))),
        "True Programmed",
        "False NoTargetReady",
    ),
    "its clients' keys are not read": Case(
        (replace(USED, unresolved="gateways do not read Secrets"),),
        "True Programmed",
        "False RefNotPermitted",
        references="False RefNotPermitted",
    ),
    "checks find a mistake": Case(
        (USED,), "False InvalidSpec", "False InvalidSpec", "False InvalidSpec", refusal="spec.limits: no"
    ),
    "another route has its name": Case(
        (USED,), "False Conflict", "False Conflict", "False Conflict", lost=Lost("chat", key("older"))
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_decide(case: Case) -> None:
    plan = decide(
        RouteSnapshot(
            route=ROUTE,
            now="2026-01-01T00:00:00Z",
            refusal=case.refusal,
            lost=case.lost,
            unready=case.unready,
            gateways=case.gateways,
        )
    )
    assert plan.status is not None
    said = {one["type"]: f"{one['status']} {one['reason']}" for one in plan.status["status"]["conditions"]}
    assert said == {
        "Accepted": case.accepted,
        "ResolvedRefs": case.references,
        "Programmed": case.programmed,
        "Ready": case.ready,
    }
    assert not plan.apply
    assert not plan.delete


def test_deciding_again_says_and_announces_nothing_new() -> None:
    snapshot = RouteSnapshot(ROUTE, "2026-01-01T00:00:00Z", gateways=(USED,))
    first = decide(snapshot)
    assert [one.reason for one in first.announcements] == ["TargetsReady"]
    assert first.status is not None
    written = type(ROUTE).model_validate({**ROUTE.to_document(), "status": first.status["status"]})
    second = decide(replace(snapshot, route=written, now="2026-01-02T00:00:00Z"))
    assert second.status == first.status
    assert second.announcements == ()


def test_a_route_that_goes_is_not_written() -> None:
    going = builders.route("chat", ["a"], metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert decide(RouteSnapshot(going, "t")).status is None


def test_together_keeps_what_any_gateway_cannot_use() -> None:
    one, two = replace(USED, unusable=(("a", "x"),)), replace(USED, unusable=(("b", "y"),))
    assert together((one, two), 2).unusable == (("a", "x"), ("b", "y"))


def test_what_gateways_say_comes_back_as_it_was_said() -> None:
    said = {key("chat"): replace(USED, unusable=(("a", "x"),), unresolved="y"), key("b/c"): REFUSED}
    assert read_programming(programming_json(7, said)) == (7, said)


def book(*objects: manifests.Json, **fleet: Any) -> RouteBook:
    made = RouteBook(builders.fleet(**fleet))
    for one in objects:
        (made.saw_route if one["kind"] == "ModelRoute" else made.saw_deployment)(one, gone=False)
    return made


def aged(name: str, day: int, *models: str) -> manifests.Json:
    created = f"2026-01-{day:02}T00:00:00Z"
    return manifests.route(name, ["a"], models=models, metadata={"creationTimestamp": created})


def test_the_oldest_route_has_the_name_and_the_next_one_after_it() -> None:
    young, old = aged("a-young", 2, "chat"), aged("old", 1, "chat", "talk")
    made = book(young, old)
    assert made.lost(builders.route("a-young", ["a"], models=["chat"])) == Lost("chat", key("old"))
    assert made.lost(builders.route("old", ["a"], models=["chat", "talk"])) is None
    assert made.saw_route(old, gone=True) == {key("a-young")}
    assert made.lost(builders.route("a-young", ["a"], models=["chat"])) is None


def test_a_refused_route_keeps_no_name_from_others() -> None:
    wrong = {**aged("old", 1, "chat")}
    wrong["spec"] = {**wrong["spec"], "limits": {"maxOutputTokens": 1}}
    made = book(wrong, aged("young", 2, "chat"))
    assert made.refusal(key("old")).startswith("spec.limits")
    assert made.lost(builders.route("young", ["a"], models=["chat"])) is None


def test_labels_of_a_namespace_give_and_take_names() -> None:
    claim = {"namespaceSelector": {"matchLabels": {"team": "a"}}, "models": ["chat"]}
    mine, other = aged("mine", 1, "chat"), aged("other", 2, "chat")
    other["metadata"]["namespace"] = "else"
    made = book(mine, other, gateway={"names": [claim]})
    assert 'namespace default may not claim "chat"' in made.refusal(key("mine"))
    assert made.lost(builders.route("other", ["a"], namespace="else", models=["chat"])) is None
    labelled = {"metadata": {"name": "default", "labels": {"team": "a"}}}
    assert made.saw_namespace("default", labelled) == {key("mine"), key("else/other")}
    assert made.saw_namespace("default", labelled) == frozenset()
    assert made.refusal(key("mine")) == ""
    made.saw_namespace("else", {"metadata": {"name": "else", "labels": {"team": "a"}}})
    wanted = builders.route("other", ["a"], namespace="else", models=["chat"])
    assert made.lost(wanted) == Lost("chat", key("mine"))
    assert made.saw_namespace("default", None) == {key("mine"), key("else/other")}
    assert made.lost(wanted) is None


def test_a_deployment_concerns_the_routes_that_name_it() -> None:
    made = book(manifests.route("one", ["a"]), manifests.route("two", ["b"], fallback=["a"]))
    assert made.saw_deployment(manifests.deployment("a"), gone=False) == {key("one"), key("two")}
    assert made.saw_deployment(manifests.deployment("c"), gone=False) == frozenset()
    made.saw_route(manifests.route("one", ["b"], generation=2), gone=False)
    assert made.saw_deployment(manifests.deployment("a"), gone=True) == {key("two")}


def test_a_route_that_names_an_absent_adapter_is_taken_and_says_so() -> None:
    stated = builders.route("chat", ["a", "a/de", "b/fr"])
    made = book(manifests.route("chat", ["a", "a/de", "b/fr"]))
    assert made.absent_adapters(stated) == {}, "nobody knows yet what a and b are"
    made.saw_deployment(manifests.deployment("a", adapters=["nl"]), gone=False)
    made.saw_deployment(manifests.hosted("b", "https://api.example.com/v1"), gone=False)
    assert made.refusal(key("chat")) == ""
    assert made.absent_adapters(stated) == dict.fromkeys(("a/de", "b/fr"), NO_ADAPTER)
    assert made.saw_deployment(manifests.deployment("a", adapters=["nl", "de"]), gone=False) == {key("chat")}
    assert made.absent_adapters(stated) == {"b/fr": NO_ADAPTER}


def test_only_ready_gateways_are_asked() -> None:
    found = {
        "addressType": "IPv6",
        "ports": [{"name": "metrics", "port": 9090}],
        "endpoints": [
            {"addresses": ["fd00::1"], "conditions": {"ready": True}},
            {"addresses": ["fd00::2"], "conditions": {"ready": False}},
        ],
    }
    assert ready_addresses(found) == {Address("fd00::1", 9090)}
    assert Address("fd00::1", 9090).url("/programming") == "http://[fd00::1]:9090/programming"

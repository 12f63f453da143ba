"""Status of routes: who can answer, and what the gateway says."""

from pointsman.api import ModelRouteStatus, ObjectKey
from pointsman.api.findings import Finding
from pointsman.routing import RouteProgramming
from pointsman.routing.route_status import (
    NO_REPLICA,
    NOT_FOUND,
    REFUSED,
    UNREAD,
    route_status,
    summary,
    target_weights,
    unready_targets,
)
from pointsman.routing.targets import NO_ADAPTER
from tests.support import builders
from tests.support.builders import key

ROUTE = builders.route("chat", {"a": 90, "b": 10}, fallback=["c"], generation=2)
PROGRAMMED = RouteProgramming(True, True, "Programmed", "", 2)
CAN_ANSWER = {key(name): "" for name in "abc"}


def said(
    programming: RouteProgramming | None = PROGRAMMED,
    deployments: dict[ObjectKey, str] | None = None,
    refused: Finding | None = None,
) -> dict[str, tuple[str, str]]:
    unready = unready_targets(ROUTE, {**CAN_ANSWER, **(deployments or {})})
    status = route_status(ROUTE, programming, unready, refused, ModelRouteStatus(), url="u", now="t")
    return {one.type: (str(one.status), one.reason) for one in status.conditions}


def test_programmed_with_targets_that_can_answer_is_ready() -> None:
    assert said() == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "Resolved"),
        "Programmed": ("True", "Programmed"),
        "Ready": ("True", "TargetsReady"),
    }


def test_one_target_that_can_answer_is_enough() -> None:
    assert said(deployments={key("a"): "down", key("b"): "down"})["Ready"] == ("True", "TargetsReady")


def test_without_any_it_says_why() -> None:
    down = {key(name): "down" for name in "abc"}
    assert said(deployments=down)["Ready"] == ("False", "NoTargetReady")


def test_targets_that_nobody_wants_to_run_are_said_to_be_without_replicas() -> None:
    assert said(deployments={key(name): NO_REPLICA for name in "abc"})["Ready"] == ("False", "NoReplicas")
    mixed = {key("a"): NO_REPLICA, key("b"): NO_REPLICA, key("c"): "down"}
    assert said(deployments=mixed)["Ready"] == ("False", "NoTargetReady")
    assert said(deployments={**mixed, key("c"): ""})["Ready"] == ("True", "TargetsReady")


def test_a_target_that_does_not_exist_is_named() -> None:
    unready = unready_targets(ROUTE, {key("a"): "", key("c"): ""})
    status = route_status(ROUTE, PROGRAMMED, unready, None, ModelRouteStatus(), url="u", now="t")
    condition = next(one for one in status.conditions if one.type == "ResolvedRefs")
    assert (str(condition.status), condition.message) == ("False", "no ModelDeployment is named b")


def references(otherwise: str, **deployments: str) -> str:
    unready = unready_targets(ROUTE, {key(name): why for name, why in deployments.items()}, otherwise)
    status = route_status(ROUTE, PROGRAMMED, unready, None, ModelRouteStatus(), url="u", now="t")
    condition = next(one for one in status.conditions if one.type == "ResolvedRefs")
    assert str(condition.status) == "False"
    return condition.message


def test_a_target_that_was_refused_is_not_said_to_be_missing() -> None:
    assert references(NOT_FOUND, a="", b="", c=REFUSED) == (
        "ModelDeployment c was refused: its file has a mistake"
    )
    assert references(NOT_FOUND, a="", c=REFUSED) == (
        "no ModelDeployment is named b; ModelDeployment c was refused: its file has a mistake"
    )


def test_a_target_that_a_file_with_a_mistake_may_state_is_not_said_to_be_missing() -> None:
    assert references(UNREAD, a="", b="") == (
        "no file that can be read has a ModelDeployment c; one with a mistake may have it"
    )


ADAPTERS = builders.route("chat", {"a/de": 80, "a/acme/fr": 20}, fallback=["a"], generation=2)


def test_targets_are_told_apart_by_their_adapters() -> None:
    unready = {**unready_targets(ADAPTERS, {key("a"): ""}), "a/acme/fr": NO_ADAPTER}
    status = route_status(ADAPTERS, PROGRAMMED, unready, None, ModelRouteStatus(), url="u", now="t")
    assert [one.to_document() for one in status.targets] == [
        {"deployment": "a", "adapter": "de", "weight": 80, "ready": True, "reason": ""},
        {"deployment": "a", "adapter": "acme/fr", "weight": 20, "ready": False, "reason": NO_ADAPTER},
        {"deployment": "a", "weight": 0, "ready": True, "reason": ""},
    ]
    assert status.summary == "a/de 80%,a/acme/fr 20%→a"
    conditions = {one.type: (str(one.status), one.reason, one.message) for one in status.conditions}
    assert conditions["ResolvedRefs"] == (
        "False",
        "AdapterNotFound",
        "spec.model.adapters of the ModelDeployment lists no a/acme/fr",
    )
    assert conditions["Ready"][0] == "True"


def test_a_deployment_that_cannot_answer_cannot_answer_as_its_adapters() -> None:
    assert unready_targets(ADAPTERS, {key("a"): "down"}) == dict.fromkeys(("a/de", "a/acme/fr", "a"), "down")
    missing = unready_targets(ADAPTERS, {})
    status = route_status(ADAPTERS, PROGRAMMED, missing, None, ModelRouteStatus(), url="u", now="t")
    (references,) = (one for one in status.conditions if one.type == "ResolvedRefs")
    assert references.message == "no ModelDeployment is named a"


def test_what_the_gateway_refuses_is_its_reason() -> None:
    refused = RouteProgramming(False, False, "RefusedByEnvoy", "bad regex", 2)
    assert said(refused)["Accepted"] == ("False", "RefusedByEnvoy")
    assert said(refused)["Ready"] == ("False", "RefusedByEnvoy")


def test_a_gateway_that_does_not_know_it_yet_is_unknown() -> None:
    assert said(None)["Ready"] == ("Unknown", "Pending")


def test_a_mistake_in_an_edit_leaves_it_ready() -> None:
    finding = Finding("error", "spec.rules[0]", "wrong", "correct it")
    assert said(refused=finding)["Accepted"] == ("False", "InvalidEdit")
    assert said(refused=finding)["Ready"] == ("True", "TargetsReady")


def test_targets_with_weights_and_the_summary() -> None:
    assert target_weights(ROUTE) == {"a": 90, "b": 10, "c": 0}
    assert summary(ROUTE) == "a 90%,b 10%→c"
    assert summary(builders.route("chat", ["a"])) == "a"

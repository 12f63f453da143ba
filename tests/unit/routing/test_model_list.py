"""GET /v1/models: who is on it, since when, and that it may be long."""

import json
from typing import Any

import pytest

from pointsman.api import ModelRoute
from pointsman.routing.authentication import Admission
from pointsman.routing.model_list import model_list, models_scope
from tests.support.builders import route
from tests.support.envoy_messages import as_json

OPEN = Admission(open=True)


def listed(*routes: ModelRoute, who: Admission = OPEN) -> dict[str, Any]:
    claims = {name: one for one in routes for name in one.spec.models}
    found: dict[str, Any] = as_json(models_scope(model_list(claims), who))["route_configuration"]
    return found


def answers(configuration: dict[str, Any]) -> dict[str, Any]:
    (host,) = configuration["virtual_hosts"]
    found = host["matcher"]["matcher_tree"]["exact_match_map"]["map"]
    return {
        path: json.loads(one["action"]["typed_config"]["direct_response"]["body"]["inline_string"])
        for path, one in found.items()
    }


def test_the_list_is_as_openais() -> None:
    chat = route(
        "chat",
        {"a": 1},
        models=["chat", "team-a/big"],
        metadata={"creationTimestamp": "2026-01-02T03:04:05Z"},
    )
    model = {"object": "model", "created": 1767323045, "owned_by": "default"}
    assert answers(listed(chat))["/v1/models"] == {
        "object": "list",
        "data": [{"id": "chat", **model}, {"id": "team-a/big", **model}],
    }


def test_a_name_with_a_slash_has_its_path() -> None:
    found = answers(listed(route("x", {"a": 1}, models=["team-a/big"])))
    assert found["/v1/models/team-a/big"]["id"] == "team-a/big"


def test_models_are_in_the_order_of_their_names() -> None:
    found = answers(listed(route("x", {"a": 1}, models=["b", "a"]), route("y", {"a": 1}, models=["A"])))
    assert [model["id"] for model in found["/v1/models"]["data"]] == ["A", "a", "b"]


@pytest.mark.parametrize(
    ("case", "created", "want"),
    [
        ("never said", "", 0),
        ("with a zone", "2026-01-02T04:04:05+01:00", 1767323045),
        ("with a fraction", "2026-01-02T03:04:05.9Z", 1767323045),
    ],
)
def test_since_when_a_model_is_there(case: str, created: str, want: int) -> None:
    found = answers(listed(route("x", {"a": 1}, metadata={"creationTimestamp": created})))
    assert found["/v1/models/x"]["created"] == want


def test_without_a_model_the_list_is_empty() -> None:
    assert answers(listed()) == {"/v1/models": {"object": "list", "data": []}}


def test_an_unknown_model_is_a_404() -> None:
    (host,) = listed()["virtual_hosts"]
    answer = host["matcher"]["on_no_match"]["action"]["typed_config"]["direct_response"]
    assert answer["status"] == 404
    assert json.loads(answer["body"]["inline_string"])["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("count", [1, 100, 3000])
def test_a_long_list_fits(count: int) -> None:
    routes = [route(f"route-{n}", {"a": 1}, models=[f"team-{n}/{'m' * 100}"]) for n in range(count)]
    configuration = listed(*routes)
    whole = json.dumps(answers(configuration)["/v1/models"], separators=(",", ":"))
    assert configuration["max_direct_response_body_size_bytes"] >= max(4096, len(whole.encode()))


def test_clients_keys_guard_the_list() -> None:
    (host,) = listed(who=Admission(False, (("ann", "k1"),)))["virtual_hosts"]
    told = host["typed_per_filter_config"]["envoy.filters.http.api_key_auth"]
    assert told["credentials"] == [{"key": "k1", "client": "ann"}]

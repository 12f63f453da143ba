"""Replicas as Envoy gets them: each once, in a stable order, the tombstone behind them."""

from typing import Any

import pytest

from pointsman.routing import Endpoint, ProxySettings
from pointsman.routing.endpoints import load_assignment
from tests.support.envoy_messages import as_json

SETTINGS = ProxySettings(tombstone_port=7999)


def localities(*replicas: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_json(load_assignment("default/a", replicas, SETTINGS))["endpoints"]
    return found


def addresses(locality: dict[str, Any]) -> list[str]:
    sockets = [one["endpoint"]["address"]["socket_address"] for one in locality.get("lb_endpoints", [])]
    return [f"{socket['address']} {socket['port_value']}" for socket in sockets]


@pytest.mark.parametrize(
    ("case", "replicas", "want"),
    [
        ("none", (), []),
        ("one", (Endpoint("10.0.0.1", 8000),), ["10.0.0.1 8000"]),
        ("IPv6", (Endpoint("fd00::1", 8000),), ["fd00::1 8000"]),
        (
            "in any order",
            (Endpoint("10.0.0.2", 8000), Endpoint("10.0.0.1", 9000), Endpoint("10.0.0.1", 8000)),
            ["10.0.0.1 8000", "10.0.0.1 9000", "10.0.0.2 8000"],
        ),
        ("one of them twice", (Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.1", 8000)), ["10.0.0.1 8000"]),
    ],
)
def test_replicas_come_first_and_the_tombstone_behind_them(
    case: str, replicas: tuple[Endpoint, ...], want: list[str]
) -> None:
    first, second = localities(*replicas)
    assert addresses(first) == want
    assert (second["priority"], addresses(second)) == (1, ["127.0.0.1 7999"])


def test_half_of_the_replicas_get_all_of_the_requests() -> None:
    assignment = as_json(load_assignment("default/a", (Endpoint("10.0.0.1", 8000),), SETTINGS))
    assert assignment["policy"]["overprovisioning_factor"] == 100_000


def test_a_replica_names_its_target_and_the_tombstone_names_none() -> None:
    first, second = localities(Endpoint("10.0.0.1", 8000))
    assert first["lb_endpoints"][0]["metadata"]["filter_metadata"] == {"pointsman": {"target": "default/a"}}
    assert second["lb_endpoints"][0]["metadata"]["filter_metadata"] == {
        "envoy.transport_socket_match": {"tombstone": True}
    }

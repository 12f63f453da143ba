"""Over any number of changes the discovery service remembers what there is, not what there was."""

import pytest

from pointsman.gateway.store import ResourceStore
from pointsman.routing import ResourceSet
from tests.support.discovery_wire import DiscoveryWire
from tests.support.envoy_resources import cluster, endpoints, is_bad, listener, resource_set, scope, secret
from tests.support.envoy_stand_in import EnvoyStandIn
from tests.support.reachable import texts_in

BASE = resource_set(listener(), cluster("base", endpoints="base"), endpoints("base"), scope("base", ["base"]))


def with_passing(number: int) -> ResourceSet:
    """A route with a target of its own, as different as refusals make them."""
    name = f"passing-{number}"
    passing = resource_set(
        cluster(name, "bad" if number % 3 == 0 else "1", endpoints=name, secret=f"{name}-key"),
        endpoints(name),
        secret(f"{name}-key", "bad" if number % 4 == 0 else "1"),
        scope(name, [name], "bad" if number % 2 == 0 else "1"),
    )
    return {type_url: {**BASE[type_url], **passing[type_url]} for type_url in BASE}


def passing_names(wire: DiscoveryWire) -> set[str]:
    return {text for text in texts_in(wire.store, wire.session) if text.startswith("passing-")}


@pytest.mark.parametrize("keeps_the_good", [True, False])
@pytest.mark.parametrize("delivered", [0, 1, 2, 5, 1000])
def test_names_that_went_are_forgotten(delivered: int, keeps_the_good: bool) -> None:
    envoy = EnvoyStandIn(is_bad, names_culprits=keeps_the_good, keeps_the_good=keeps_the_good)
    wire = DiscoveryWire(ResourceStore(), envoy)
    wire.update(BASE)
    wire.settle()
    for number in range(24):
        wire.update(with_passing(number))
        for _ in range(delivered):
            if not (wire.deliver_response() or wire.deliver_request()):
                break
        if number == 7:
            wire.reconnect()
        if number == 15:
            wire.restart_envoy()
    assert passing_names(wire), "the search looks at the right place"
    wire.update(BASE)
    wire.settle()
    assert passing_names(wire) == set()

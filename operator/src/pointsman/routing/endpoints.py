"""Replicas -> ClusterLoadAssignment, with the tombstone that answers when none is left."""

from functools import lru_cache
from typing import Any

from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from pointsman.routing.inputs import Endpoint
from pointsman.routing.resources import ENDPOINTS, Resource, resource
from pointsman.routing.settings import ProxySettings
from pointsman.routing.typed import parse

# With Envoy's default of 140 a third of the requests go to the next priority while half the replicas are
# healthy.
OVERPROVISIONING = 100_000
TOMBSTONE_MATCH = {"tombstone": True}
TARGET_METADATA = "pointsman"


def socket(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def replica(address: dict[str, Any], target: str, hostname: str = "") -> dict[str, Any]:
    """One that answers; its metadata names the target to the client."""
    return {
        "endpoint": {"address": address, "hostname": hostname},
        "metadata": {"filter_metadata": {TARGET_METADATA: {"target": target}}},
    }


def with_tombstone(replicas: list[dict[str, Any]], settings: ProxySettings) -> list[dict[str, Any]]:
    """Priority 0: the replicas. Priority 1: the tombstone.

    A cluster whose replicas are all gone or ejected answers 503 without a retry; with the tombstone it
    answers a 503 that the retry policy knows, at once, and the next target is tried.
    """
    tombstone = {
        "endpoint": {"address": socket("127.0.0.1", settings.tombstone_port)},
        "metadata": {"filter_metadata": {"envoy.transport_socket_match": TOMBSTONE_MATCH}},
    }
    return [{"priority": 0, "lb_endpoints": replicas}, {"priority": 1, "lb_endpoints": [tombstone]}]


def load_assignment(
    name: str, replicas: tuple[Endpoint, ...], settings: ProxySettings, *, may_rest: bool = False
) -> Resource:
    """The endpoints of one deployment, in a stable order; of one that may rest and has none, where requests
    are held.
    """
    message = ClusterLoadAssignment()
    message.CopyFrom(_alike(settings))
    message.cluster_name = name
    for found in sorted(set(replicas)):
        entry = message.endpoints[0].lb_endpoints.add()
        entry.endpoint.address.socket_address.address = found.address
        entry.endpoint.address.socket_address.port_value = found.port
        entry.metadata.filter_metadata[TARGET_METADATA].fields["target"].string_value = name
    if may_rest and not replicas:
        # It names no target: none has answered.
        message.endpoints[0].lb_endpoints.add().endpoint.address.pipe.path = settings.hold.socket
    return resource(ENDPOINTS, name, message)


@lru_cache(maxsize=16)
def _alike(settings: ProxySettings) -> ClusterLoadAssignment:
    """What all deployments have in common, parsed once."""
    assignment = {
        "endpoints": with_tombstone([], settings),
        "policy": {"overprovisioning_factor": OVERPROVISIONING},
    }
    return parse(assignment, ClusterLoadAssignment())

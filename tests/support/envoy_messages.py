"""Envoy resources read back as plain data, for tests that look at what stands in them."""

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from pointsman.routing import Compiler, ProxySettings, Resource, ResourceSet, RoutingInput
from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET

Json = dict[str, Any]

MESSAGES: dict[str, type[Message]] = {
    SECRET: Secret,
    CLUSTER: Cluster,
    ENDPOINTS: ClusterLoadAssignment,
    LISTENER: Listener,
    SCOPE: ScopedRouteConfiguration,
}


def compiled(given: RoutingInput) -> ResourceSet:
    """What a fresh compiler makes of an input."""
    return Compiler(ProxySettings()).compile(given)


def message_of(one: Resource, body: bytes | None = None) -> Message:
    """The message of a resource, or of another body of its type."""
    return MESSAGES[one.type_url].FromString(one.body if body is None else body)


def as_json(one: Resource, body: bytes | None = None) -> Json:
    """The message with the names that Envoy's documentation has."""
    value: Json = MessageToDict(message_of(one, body), preserving_proto_field_name=True)
    return value


def virtual_host(scope: Resource) -> Json:
    """The one virtual host of a scope."""
    (host,) = as_json(scope)["route_configuration"]["virtual_hosts"]
    found: Json = host
    return found


def entries(scope: Resource) -> list[Json]:
    """The route entries of a scope, in their order."""
    found: list[Json] = virtual_host(scope)["routes"]
    return found


def groups(entry: Json) -> list[dict[str, int]]:
    """Which deployments each attempt of an entry chooses from, with their weights."""
    specifier = entry["route"]["inline_cluster_specifier_plugin"]["extension"]["typed_config"]["value"]
    return [
        {one["cluster_name"].split("~")[0]: int(one["weight"]) for one in group["clusters"]}
        for group in specifier["priority_groups"]
    ]


def http_options(cluster: Resource) -> Json:
    """How a target is spoken to."""
    (options,) = as_json(cluster)["typed_extension_protocol_options"].values()
    found: Json = options
    return found


def http_filters(cluster: Resource) -> dict[str, Json]:
    """The filters that an attempt passes through, by name."""
    return {one["name"]: one["typed_config"] for one in http_options(cluster)["http_filters"]}

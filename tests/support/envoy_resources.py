"""Envoy resources that are as small as the discovery service allows, for tests of how they are handed out.

`variant` is what distinguishes one version from another. A variant that begins with "bad" is one that
`is_bad` refuses; one that begins with "bad stub" has a stub that is refused too.
"""

from collections.abc import Iterable
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret

from pointsman.api import ObjectKey
from pointsman.routing.resources import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    SCOPE,
    SECRET,
    SERVING_ORDER,
    Resource,
    resource,
)
from pointsman.routing.typed import ADS, known, parse
from tests.support.builders import key

_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_STUB = "stub"
_BAD_STUB = "bad stub"


def is_bad(type_url: str, name: str, body: bytes) -> bool:
    """What the stand-in for Envoy refuses."""
    return b"bad" in body


def _stub_variant(variant: str) -> str:
    return _BAD_STUB if variant.startswith(_BAD_STUB) else _STUB


def owners(routes: Iterable[str]) -> frozenset[ObjectKey]:
    return frozenset(map(key, routes))


def cluster(
    name: str, variant: str = "1", *, endpoints: str = "", secret: str = "", routes: Iterable[str] = ()
) -> Resource:
    """A cluster with its replicas from discovery (`endpoints`) or without any."""

    def message(text: str, service: str, key_name: str) -> Cluster:
        value: dict[str, Any] = {"name": name, "alt_stat_name": text}
        if service:
            value["type"] = "EDS"
            value["eds_cluster_config"] = {"eds_config": ADS, "service_name": service}
        if key_name:
            reference = {"name": key_name, "sds_config": ADS}
            tls = known(_TLS, {"common_tls_context": {"tls_certificate_sds_secret_configs": [reference]}})
            value["transport_socket"] = {"name": "tls", "typed_config": tls}
        return parse(value, Cluster())

    body, stub = message(variant, endpoints, secret), message(_stub_variant(variant), "", "")
    return resource(CLUSTER, name, body, owners=owners(routes), stub=stub, endpoints=endpoints)


def endpoints(name: str, port: int = 8000, variant: str = "") -> Resource:
    made = ClusterLoadAssignment(cluster_name=name)
    address = made.endpoints.add().lb_endpoints.add().endpoint.address.socket_address
    address.address, address.port_value = "127.0.0.1", port
    if variant:
        made.named_endpoints[variant].hostname = variant
    return resource(ENDPOINTS, name, made)


def scope(
    name: str,
    clusters: Iterable[str],
    variant: str = "1",
    *,
    routes: Iterable[str] = (),
    admits: Iterable[str] | None = None,
) -> Resource:
    """A scope that sends requests to the first of its clusters and names the others as mirrors.

    `admits` stands in a field that no test looks at otherwise, "anyone" for all.
    """
    names = sorted(clusters)
    who = None if admits is None else frozenset(admits)

    def message(text: str, used: list[str], let_in: Iterable[str]) -> ScopedRouteConfiguration:
        mirrors = [{"cluster": mirrored} for mirrored in used[1:]]
        action: dict[str, Any] = {"direct_response": {"status": 503}}
        if used:
            action = {"route": {"cluster": used[0], "request_mirror_policies": mirrors}}
        entry = {"match": {"prefix": f"/{text}"}, **action}
        host = {"name": name, "domains": ["*"], "routes": [entry]}
        configuration = {"name": name, "virtual_hosts": [host], "response_headers_to_remove": sorted(let_in)}
        value = {"name": name, "route_configuration": configuration}
        return parse(value, ScopedRouteConfiguration())

    stub = message(_stub_variant(variant), [], ())
    body = message(variant, names, ["anyone"] if who is None else who)
    return resource(
        SCOPE, name, body, owners=owners(routes), stub=stub, clusters=frozenset(names), admits=who
    )


def admitted_by(scope: bytes) -> set[str]:
    """Whom the body of a scope lets in."""
    return set(ScopedRouteConfiguration.FromString(scope).route_configuration.response_headers_to_remove)


def listener(name: str = "front", variant: str = "1") -> Resource:
    return resource(LISTENER, name, Listener(name=name, stat_prefix=variant))


def secret(name: str, variant: str = "1") -> Resource:
    made = Secret(name=name)
    made.generic_secret.secret.inline_string = variant
    return resource(SECRET, name, made)


def resource_set(*resources: Resource) -> dict[str, dict[str, Resource]]:
    """The resources by type and name; a type without resources is there too."""
    made: dict[str, dict[str, Resource]] = {type_url: {} for type_url in SERVING_ORDER}
    for one in resources:
        assert one.name not in made[one.type_url], f"two resources are called {one.name}"
        made[one.type_url][one.name] = one
    return made

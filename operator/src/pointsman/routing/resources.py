"""Envoy resources as the gateway hands them out: named bytes with a version and the objects they serve.

Types are served in the order of `SERVING_ORDER`: a cluster and its endpoints exist before a route names them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from pointsman.api import ObjectKey

_PREFIX = "type.googleapis.com/"
SECRET = _PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
CLUSTER = _PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = _PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = _PREFIX + "envoy.config.listener.v3.Listener"
SCOPE = _PREFIX + "envoy.config.route.v3.ScopedRouteConfiguration"

SERVING_ORDER = (SECRET, CLUSTER, ENDPOINTS, LISTENER, SCOPE)


@dataclass(frozen=True, slots=True)
class Resource:
    """One Envoy resource.

    `stub` is the harmless form that is served when Envoy refuses `body` and has accepted no earlier one.
    `owners` are the routes that do not work as written while this resource is refused.
    `endpoints` is the name of the ClusterLoadAssignment that a cluster waits for, empty where there is none.
    `clusters` are those that a scope names: they stay for as long as this form of it is in use.
    `admits` are those whom a scope lets in, None where it lets in anyone.
    """

    type_url: str
    name: str
    body: bytes = field(repr=False)
    version: str
    owners: frozenset[ObjectKey] = frozenset()
    stub: bytes | None = field(default=None, repr=False)
    endpoints: str = ""
    clusters: frozenset[str] = frozenset()
    admits: frozenset[str] | None = field(default=None, repr=False)

    def may_stand_in_for(self, other: "Resource") -> bool:
        """Whether this form lets in nobody whom the other keeps out."""
        return other.admits is None or (self.admits is not None and self.admits <= other.admits)


ResourceSet = Mapping[str, Mapping[str, Resource]]
"""Resources by type URL, then by name."""


def resource(
    type_url: str,
    name: str,
    message: Message,
    *,
    owners: frozenset[ObjectKey] = frozenset(),
    stub: Message | None = None,
    endpoints: str = "",
    clusters: frozenset[str] = frozenset(),
    admits: frozenset[str] | None = None,
) -> Resource:
    """Freeze a message: equal messages give equal bytes and so equal versions."""
    body = message.SerializeToString(deterministic=True)
    stub_body = None if stub is None else stub.SerializeToString(deterministic=True)
    return Resource(type_url, name, body, version_of(body), owners, stub_body, endpoints, clusters, admits)


def version_of(body: bytes) -> str:
    """Sixteen hex digits that name these bytes."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()

"""Envoy messages from plain dicts.

The generated protobufs lag Envoy; an extension that they do not know goes as a TypedStruct (type URL and
JSON), which Envoy validates on arrival like any other.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

# Messages that appear inside an Any: the parser finds only what has been imported.
for _module in (
    "envoy.extensions.access_loggers.file.v3.file_pb2",
    "envoy.extensions.filters.http.api_key_auth.v3.api_key_auth_pb2",
    "envoy.extensions.filters.http.router.v3.router_pb2",
    "envoy.extensions.filters.http.upstream_codec.v3.upstream_codec_pb2",
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2",
    "envoy.extensions.network.dns_resolver.cares.v3.cares_dns_resolver_pb2",
    "envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2",
    "envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2",
    "envoy.extensions.transport_sockets.tls.v3.tls_pb2",
    "envoy.extensions.upstreams.http.v3.http_protocol_options_pb2",
    "envoy.extensions.resource_monitors.downstream_connections.v3.downstream_connections_pb2",
    "envoy.extensions.resource_monitors.fixed_heap.v3.fixed_heap_pb2",
    "envoy.type.matcher.v3.http_inputs_pb2",
    "google.protobuf.wrappers_pb2",
    "xds.type.v3.typed_struct_pb2",
):
    import_module(_module)

ADS = {"ads": {}, "resource_api_version": "V3"}
"""Where Envoy gets a resource that is named elsewhere: on the stream that it has anyway."""

_RESOLVER = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
_PREFIX = "type.googleapis.com/"
_M = TypeVar("_M", bound=Message)


def known(message: str, value: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An Any in JSON form, of a message that the generated protobufs know."""
    return {"@type": _PREFIX + message, **(value or {})}


def newer(message: str, value: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An Any in JSON form, of a message or field that only Envoy knows."""
    return known("xds.type.v3.TypedStruct", {"type_url": _PREFIX + message, "value": dict(value or {})})


def dns_resolver(*, searches: bool) -> dict[str, Any]:
    """How names are looked up: as they stand, or also below the domains of the machine's own settings, which
    in a pod are the cluster's: "chat.team" is a Service there.
    """
    options = {"dns_resolver_options": {"no_default_search_domain": not searches}}
    return {"name": "envoy.network.dns_resolver.cares", "typed_config": known(_RESOLVER, options)}


def parse(value: Mapping[str, Any], into: _M) -> _M:
    """Fill a message from JSON form. Raises json_format.ParseError where the form is not the message's."""
    json_format.ParseDict(dict(value), into)
    return into


def seconds(value: float) -> str:
    """A protobuf Duration in JSON form."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"

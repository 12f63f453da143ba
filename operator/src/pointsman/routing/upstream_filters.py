"""What each attempt at a target passes through: our filter, the key, the codec.

Most of it is the same for every target and is parsed once: a gateway may have thousands of targets.
"""

from functools import cache
from typing import Any

from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from pointsman.api import ModelDeployment
from pointsman.routing.filters import ATTEMPT, our_filter
from pointsman.routing.names import RETRY_HEADER
from pointsman.routing.resources import Resource
from pointsman.routing.targets import HostedAddress, key_header, takes_usage_option, upstream_model
from pointsman.routing.typed import ADS, known, newer, parse

# Engines close idle connections after 5 s (uvicorn's and cpp-httplib's default); a longer life here would
# race with that. Providers keep them for a minute and more.
_OWN_IDLE, _HOSTED_IDLE = "4s", "60s"


def protocol_options(
    deployment: ModelDeployment,
    address: HostedAddress | None,
    key: Resource | None,
    adapter: str,
    processor: str,
) -> HttpProtocolOptions:
    """How a target is spoken to; `address` is None for an own model, `key` where nothing is injected,
    `adapter` empty where its model is asked. `processor`: see ProxySettings.
    """
    options = HttpProtocolOptions()
    options.CopyFrom(_alike(_OWN_IDLE if address is None else _HOSTED_IDLE))
    words = _words(deployment, address, adapter)
    parse(our_filter(ATTEMPT, words, processor), options.http_filters.add())
    if key is not None:
        parse(_injected(deployment, key), options.http_filters.add())
    options.http_filters.add().CopyFrom(_codec())
    return options


@cache
def _alike(idle: str) -> HttpProtocolOptions:
    options = {
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": idle},
        "outlier_detection": {"error_matcher": _FAILURE},
    }
    return parse(options, HttpProtocolOptions())


@cache
def _codec() -> HttpFilter:
    codec = {
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": known("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
    }
    return parse(codec, HttpFilter())


def _status(prefix: str) -> dict[str, Any]:
    matcher = {"prefix": prefix} if len(prefix) < 3 else {"exact": prefix}
    return {"http_response_headers_match": {"headers": [{"name": ":status", "string_match": matcher}]}}


_MARKED = {"http_response_headers_match": {"headers": [{"name": RETRY_HEADER, "present_match": True}]}}

# Server errors and "too many requests", but not the tombstone: ejecting that would leave nothing to answer.
_FAILURE = {
    "and_match": {
        "rules": [{"or_match": {"rules": [_status("5"), _status("429")]}}, {"not_match": _MARKED}],
    }
}


def _words(deployment: ModelDeployment, address: HostedAddress | None, adapter: str) -> str:
    """What is the same for all requests of a target, as the filter of attempts reads it."""
    own_host = f"{deployment.metadata.name}.{deployment.metadata.namespace}"
    usage = "usage" if takes_usage_option(deployment) else "-"
    prefix = address.prefix if address else "/v1"
    host = address.authority if address else own_host
    return f"{usage} {host} {prefix} {upstream_model(deployment, adapter)}"


def _injected(deployment: ModelDeployment, key: Resource) -> dict[str, Any]:
    header = key_header(deployment)
    source: dict[str, Any] = {"credential": {"name": key.name, "sds_config": ADS}, "header": header}
    if header == "authorization":
        source["header_value_prefix"] = "Bearer "
    generic = newer("envoy.extensions.http.injected_credentials.generic.v3.Generic", source)
    injector = {"overwrite": True, "credential": {"name": "pointsman.key", "typed_config": generic}}
    return {
        "name": "pointsman.key",
        "typed_config": newer(
            "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector", injector
        ),
    }

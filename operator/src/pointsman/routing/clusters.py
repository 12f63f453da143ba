"""One target -> one Envoy cluster: where it is, what attempts write anew, when a replica is left alone."""

import base64
from importlib.resources import files
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.routing.credentials import TargetSecrets
from pointsman.routing.endpoints import OVERPROVISIONING, TOMBSTONE_MATCH, replica, socket, with_tombstone
from pointsman.routing.gate import compiled
from pointsman.routing.names import METADATA, RETRY_HEADER, endpoints_name
from pointsman.routing.resources import CLUSTER, Resource, resource, version_of
from pointsman.routing.settings import ProxySettings
from pointsman.routing.targets import (
    ClusterUse,
    HostedAddress,
    cluster_name,
    hosted_address,
    key_header,
    requests_in_flight,
    takes_usage_option,
    upstream_model,
)
from pointsman.routing.typed import known, newer, parse, seconds

ADS = {"ads": {}, "resource_api_version": "V3"}
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_LUA = "envoy.extensions.filters.http.lua.v3.Lua"
_CONNECT_TIMEOUT = (
    "2s"  # A replica on the same network answers in milliseconds; a provider in under one second.
)
_TARGET_SCRIPT = files("pointsman.routing.lua").joinpath("target.lua").read_text(encoding="utf-8")


def _gate() -> dict[str, Any]:
    code = {"local": {"inline_bytes": base64.b64encode(compiled()).decode()}}
    machine = {"vm_id": "first-token-gate", "runtime": "envoy.wasm.runtime.v8", "code": code}
    plugin = {"name": "first_token_gate", "allow_on_headers_stop_iteration": True, "vm_config": machine}
    return {
        "name": "pointsman.first_token_gate",
        "typed_config": known("envoy.extensions.filters.http.wasm.v3.Wasm", {"config": plugin}),
    }


_GATE = _gate()


def target_cluster(
    deployment: ModelDeployment,
    use: ClusterUse,
    secrets: TargetSecrets,
    settings: ProxySettings,
    owners: frozenset[ObjectKey],
) -> Resource:
    """The cluster of one target. Its stub has no replica, so requests move on to the next target."""
    name = cluster_name(deployment.key, use)
    hosted = deployment.spec.hosted
    address = hosted_address(hosted.base_url) if hosted else None
    common = _common(name, deployment, use)
    placed = (
        _own(deployment)
        if address is None
        else _hosted(name, str(deployment.key), address, secrets, settings)
    )
    message = parse({**common, **placed, **_protocol(deployment, address, secrets)}, Cluster())
    stub = parse(
        {**common, **_nowhere(name, settings), **_protocol(deployment, None, TargetSecrets())}, Cluster()
    )
    endpoints = endpoints_name(deployment.key) if address is None else ""
    return resource(CLUSTER, name, message, owners=owners, stub=stub, endpoints=endpoints)


def _common(name: str, deployment: ModelDeployment, use: ClusterUse) -> dict[str, Any]:
    ejection = use.ejection
    at_most = requests_in_flight(deployment)
    return {
        "name": name,
        "alt_stat_name": str(deployment.key),
        "connect_timeout": _CONNECT_TIMEOUT,
        "lb_policy": "MAGLEV" if use.hashed else "LEAST_REQUEST",
        # Envoy gathers changes of health for a second: a second ejected replica would be asked all that time.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": at_most,
                    "max_pending_requests": at_most,
                    "max_requests": at_most,
                    "max_retries": at_most,
                }
            ]
        },
        "outlier_detection": {
            "consecutive_5xx": ejection.failures,
            "interval": "0.5s",
            "base_ejection_time": seconds(ejection.seconds),
            "max_ejection_time": seconds(ejection.seconds),
            "max_ejection_percent": ejection.percent,
            "enforcing_consecutive_5xx": 100,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
        },
    }


def _own(deployment: ModelDeployment) -> dict[str, Any]:
    # A replica that left must not be drained with its running streams: they finish.
    return {
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS, "service_name": endpoints_name(deployment.key)},
    }


def _hosted(
    name: str, target: str, address: HostedAddress, secrets: TargetSecrets, settings: ProxySettings
) -> dict[str, Any]:
    replicas = [replica(socket(address.host, address.port), target, address.host)]
    placed: dict[str, Any] = {
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": with_tombstone(replicas, settings),
            "policy": {"overprovisioning_factor": OVERPROVISIONING},
        },
    }
    if address.tls:
        placed["transport_socket"] = _tls_socket(address, secrets, settings)
        placed["transport_socket_matches"] = [
            {
                "name": "tombstone",
                "match": TOMBSTONE_MATCH,
                "transport_socket": {
                    "name": "envoy.transport_sockets.raw_buffer",
                    "typed_config": known("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"),
                },
            }
        ]
    return placed


def _nowhere(name: str, settings: ProxySettings) -> dict[str, Any]:
    return {
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": with_tombstone([], settings),
            "policy": {"overprovisioning_factor": OVERPROVISIONING},
        },
    }


def _tls_socket(address: HostedAddress, secrets: TargetSecrets, settings: ProxySettings) -> dict[str, Any]:
    name_check = {
        "match_typed_subject_alt_names": [
            {"san_type": _san_type(address), "matcher": {"exact": address.host}}
        ]
    }
    if secrets.authorities is None:
        trust = {"validation_context": {"trusted_ca": {"filename": settings.trusted_ca_file}, **name_check}}
    else:
        trust = {
            "combined_validation_context": {
                "default_validation_context": name_check,
                "validation_context_sds_secret_config": {"name": secrets.authorities.name, "sds_config": ADS},
            }
        }
    sni = {} if _san_type(address) == "IP_ADDRESS" else {"sni": address.host}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": known(_TLS, {"common_tls_context": {"alpn_protocols": ["http/1.1"], **trust}, **sni}),
    }


def _san_type(address: HostedAddress) -> str:
    is_ip = ":" in address.host or address.host.replace(".", "").isdigit()
    return "IP_ADDRESS" if is_ip else "DNS"


def _protocol(
    deployment: ModelDeployment, address: HostedAddress | None, secrets: TargetSecrets
) -> dict[str, Any]:
    filters = [_GATE, _rewrite(deployment, address)]
    if secrets.key is not None:
        filters.append(_injected(deployment, secrets.key))
    filters.append(
        {
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": known("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
        }
    )
    options = {
        "explicit_http_config": {"http_protocol_options": {}},
        # Engines close idle connections after some seconds; a longer life here would race with that.
        "common_http_protocol_options": {"idle_timeout": "4s" if address is None else "60s"},
        "http_filters": filters,
        "outlier_detection": {"error_matcher": _FAILURE},
    }
    return {"typed_extension_protocol_options": {_HTTP_OPTIONS: known(_HTTP_OPTIONS, options)}}


def _status(prefix: str) -> dict[str, Any]:
    matcher = {"prefix": prefix} if len(prefix) < 3 else {"exact": prefix}
    return {"http_response_headers_match": {"headers": [{"name": ":status", "string_match": matcher}]}}


# Server errors and "too many requests", but not the tombstone: ejecting that would leave nothing to answer.
_FAILURE = {
    "and_match": {
        "rules": [
            {"or_match": {"rules": [_status("5"), _status("429")]}},
            {
                "not_match": {
                    "http_response_headers_match": {
                        "headers": [{"name": RETRY_HEADER, "present_match": True}]
                    }
                }
            },
        ]
    }
}


def _rewrite(deployment: ModelDeployment, address: HostedAddress | None) -> dict[str, Any]:
    context = {
        "model": upstream_model(deployment),
        "host": address.authority
        if address
        else f"{deployment.metadata.name}.{deployment.metadata.namespace}",
        "prefix": address.prefix if address else "/v1",
        "usage": takes_usage_option(deployment),
    }
    context["id"] = version_of(repr(sorted(context.items())).encode())
    script = {
        "default_source_code": {"inline_string": _TARGET_SCRIPT},
        "filter_context": context,
        "shared_vm_id": f"{METADATA}.target",
    }
    return {"name": "pointsman.target", "typed_config": newer(_LUA, script)}


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

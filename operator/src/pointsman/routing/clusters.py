"""One target -> one Envoy cluster: where it is, what attempts write anew, when a replica is left alone."""

from functools import lru_cache
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.checks import is_private
from pointsman.routing.credentials import TargetSecrets
from pointsman.routing.endpoints import OVERPROVISIONING, TOMBSTONE_MATCH, replica, socket, with_tombstone
from pointsman.routing.names import endpoints_name
from pointsman.routing.resources import CLUSTER, Resource, resource
from pointsman.routing.settings import ProxySettings
from pointsman.routing.targets import (
    ClusterUse,
    HostedAddress,
    cluster_name,
    hosted_address,
    requests_in_flight,
)
from pointsman.routing.typed import ADS, dns_resolver, known, parse, seconds
from pointsman.routing.upstream_filters import protocol_options

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
# A replica on the same network answers in milliseconds; a provider in under one second.
_CONNECT_TIMEOUT = "2s"


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
    message = _named(name, deployment, use)
    placed = (
        _own(deployment)
        if address is None
        else _hosted(name, str(deployment.key), address, secrets, settings)
    )
    parse(placed, message)
    options = message.typed_extension_protocol_options[_HTTP_OPTIONS]
    spoken = protocol_options(deployment, address, secrets.key, use.adapter, settings.processor)
    options.Pack(spoken, deterministic=True)
    stub = _named(name, deployment, use)
    stub.MergeFrom(_nowhere(settings))
    stub.load_assignment.cluster_name = name
    stub.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(options)
    endpoints = endpoints_name(deployment.key) if address is None else ""
    return resource(CLUSTER, name, message, owners=owners, stub=stub, endpoints=endpoints)


def _named(name: str, deployment: ModelDeployment, use: ClusterUse) -> Cluster:
    cluster = Cluster()
    cluster.CopyFrom(_alike(use, requests_in_flight(deployment)))
    cluster.name = name
    cluster.alt_stat_name = str(deployment.key)
    return cluster


@lru_cache(maxsize=1024)
def _alike(use: ClusterUse, at_most: int) -> Cluster:
    """What clusters of one use have in common, parsed once."""
    ejection = use.ejection
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    common = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "lb_policy": "MAGLEV" if use.hashed else "LEAST_REQUEST",
        # Envoy gathers changes of health for a second: a second ejected replica would be asked all that time.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, at_most)]},
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
    return parse(common, Cluster())


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
    if is_private(address.host) and _san_type(address) == "DNS":
        # Allowed by its name, which may be a short one; Envoy's own way is to take others as they stand.
        placed["typed_dns_resolver_config"] = dns_resolver(searches=True)
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


@lru_cache(maxsize=16)
def _nowhere(settings: ProxySettings) -> Cluster:
    assignment = {
        "endpoints": with_tombstone([], settings),
        "policy": {"overprovisioning_factor": OVERPROVISIONING},
    }
    return parse({"type": "STATIC", "load_assignment": assignment}, Cluster())


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

"""What Envoy is started with: where its resources come from, its admin socket, its own limits."""

from typing import Any

from pointsman.routing.metrics import histogram_buckets
from pointsman.routing.settings import ProxySettings
from pointsman.routing.typed import dns_resolver, known

ADMIN_SOCKET = "admin.sock"
DISCOVERY_SOCKET = "discovery.sock"

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_HEAP = "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig"
_CONNECTIONS = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"

# Envoy keeps some hundred counters for each cluster; with thousands of targets these are what is read.
_KEPT_STATS = (
    "pointsman.",
    "http.front.",
    "listener.",
    "server.",
    "overload.",
    "listener_manager.",
    "cluster_manager.",
)
_KEPT_CLUSTER_STATS = (
    r"cluster\..*\.(upstream_rq_active|upstream_cx_active|membership_healthy"
    r"|outlier_detection\.ejections_active|upstream_rq_pending_overflow|upstream_rq_retry_overflow)"
)

# Envoy's own limit of 100 instructions refuses a list of a dozen names, which the API takes: an expression
# has at most 512 characters there, and each is one instruction, a class of letters some hundreds.
_RUNTIME = {"re2.max_program_size.error_level": 5000, "re2.max_program_size.warn_level": 5000}


def bootstrap(settings: ProxySettings) -> dict[str, Any]:
    """The bootstrap as Envoy's JSON.

    Sockets are named without their folder, in which Envoy is started.
    """
    ads = {"ads": {}, "resource_api_version": "V3"}
    grpc = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "discovery"}}],
    }
    return {
        "node": {"id": "gateway", "cluster": "pointsman"},
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}},
        # A public name is nobody's Service, whatever the cluster's search domains make of it.
        "typed_dns_resolver_config": dns_resolver(searches=False),
        "dynamic_resources": {"lds_config": ads, "cds_config": ads, "ads_config": grpc},
        "static_resources": {"clusters": [_discovery()]},
        "stats_config": {
            "histogram_bucket_settings": histogram_buckets(),
            "stats_matcher": {
                "inclusion_list": {
                    "patterns": [
                        *({"prefix": prefix} for prefix in _KEPT_STATS),
                        {"safe_regex": {"regex": _KEPT_CLUSTER_STATS}},
                    ]
                }
            },
        },
        "overload_manager": _overload(settings),
        "layered_runtime": {"layers": [{"name": "limits", "static_layer": _RUNTIME}]},
    }


def _discovery() -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": DISCOVERY_SOCKET}}}}
    http2: dict[str, Any] = {"explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": "discovery",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "discovery", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: known(_HTTP_OPTIONS, http2)},
    }


def _overload(settings: ProxySettings) -> dict[str, Any]:
    """Shed load before the machine does: give memory back, then refuse requests, then end the largest."""
    heap, connections = (
        "envoy.resource_monitors.fixed_heap",
        "envoy.resource_monitors.global_downstream_max_connections",
    )

    def at(name: str, share: float) -> dict[str, Any]:
        return {"name": f"envoy.{name}", "triggers": [{"name": heap, "threshold": {"value": share}}]}

    reset = at("overload_actions.reset_high_memory_stream", 0)
    reset["triggers"] = [{"name": heap, "scaled": {"scaling_threshold": 0.85, "saturation_threshold": 0.98}}]
    return {
        "refresh_interval": "0.1s",
        "resource_monitors": [
            {"name": heap, "typed_config": known(_HEAP, {"max_heap_size_bytes": str(settings.heap_bytes)})},
            {
                "name": connections,
                "typed_config": known(
                    _CONNECTIONS, {"max_active_downstream_connections": str(settings.max_connections)}
                ),
            },
        ],
        "actions": [
            at("overload_actions.shrink_heap", 0.80),
            at("overload_actions.disable_http_keepalive", 0.85),
            reset,
            at("overload_actions.stop_accepting_requests", 0.90),
            at("overload_actions.stop_accepting_connections", 0.97),
        ],
        # Actions reach a worker between two turns of its loop, in which it may take in a gigabyte. These
        # are looked at with each request and each piece of a body. (Resets know the streams of HTTP/2 alone.)
        "loadshed_points": [
            at("load_shed_points.http_connection_manager_decode_headers", 0.80),
            at("load_shed_points.http1_server_abort_dispatch", 0.90),
        ],
        # Which streams hold much: those above a sixteenth of what a request may be.
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 20},
    }

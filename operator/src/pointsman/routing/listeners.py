"""The endpoint that clients talk to, and the tombstone that answers for targets without a replica."""

from typing import Any

from envoy.config.listener.v3.listener_pb2 import Listener

from pointsman.routing.answers import NO_CAPACITY, direct_route, local_reply_mappers
from pointsman.routing.authentication import OPEN_KEY, key_filter
from pointsman.routing.endpoints import socket
from pointsman.routing.filters import REQUEST, our_filter
from pointsman.routing.metrics import attempt_stats, request_stats
from pointsman.routing.names import (
    INTERNAL_PREFIX,
    MODEL_HEADER,
    OPEN_HEADER,
    RETRY_HEADER,
)
from pointsman.routing.resources import LISTENER, Resource, resource
from pointsman.routing.settings import ProxySettings
from pointsman.routing.typed import ADS, known, parse

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

# What Envoy takes from one socket before it looks at what it has taken, and at its memory: its default. At as
# much as a body may have, 200 clients of 15 MB each had it hold 5 GB before it refused the first.
_READ_AT_ONCE_BYTES = 1024 * 1024


def listeners(settings: ProxySettings) -> list[Resource]:
    """Every listener of a gateway."""
    return [_front(settings), _tombstone(settings)]


def _front(settings: ProxySettings) -> Resource:
    words = f"{settings.max_request_bytes} {settings.held_request_bytes}"
    manager = {
        "stat_prefix": "front",
        "use_remote_address": True,
        "skip_xff_append": True,
        "normalize_path": True,
        "merge_slashes": True,
        "server_header_transformation": "PASS_THROUGH",
        "early_header_mutation_extensions": [_door()],
        "scoped_routes": {
            "name": "models",
            "scope_key_builder": {
                "fragments": [{"header_value_extractor": {"name": MODEL_HEADER, "index": 0}}]
            },
            "rds_config_source": ADS,
            "scoped_rds": {"scoped_rds_config_source": ADS},
        },
        # The head of a request must come soon; a body may take as long as the route lets the request last.
        "http_protocol_options": {
            # As ab, old proxies and scripts speak it.
            "accept_http_10": True,
            "default_host_for_http_10": "gateway",
            # Else a websocket, as OpenAI's realtime API has them, would wait: such a request has no end.
            "ignore_http_11_upgrade": [{"safe_regex": {"regex": ".*"}}],
        },
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": {"idle_timeout": "600s"},
        "local_reply_config": {"mappers": local_reply_mappers(settings.max_request_bytes)},
        "access_log": request_stats(),
        "http_filters": [
            our_filter(REQUEST, words, settings.processor),
            key_filter(),
            _router(),
        ],
    }
    return _listener("front", settings.listen_address, settings.listen_port, manager)


def _tombstone(settings: ProxySettings) -> Resource:
    answer = direct_route(NO_CAPACITY)
    marks = [{"header": {"key": RETRY_HEADER, "value": "noCapacity"}}]
    answer["response_headers_to_add"] = [*answer["response_headers_to_add"], *marks]
    host = {"name": "tombstone", "domains": ["*"], "routes": [answer]}
    manager = {
        "stat_prefix": "tombstone",
        "route_config": {"name": "tombstone", "virtual_hosts": [host]},
        "http_filters": [_router()],
    }
    return _listener("tombstone", "127.0.0.1", settings.tombstone_port, manager)


def _listener(name: str, address: str, port: int, manager: dict[str, Any]) -> Resource:
    filters = [{"name": "http", "typed_config": known(_MANAGER, manager)}]
    value = {
        "name": name,
        "address": socket(address, port),
        "per_connection_buffer_limit_bytes": _READ_AT_ONCE_BYTES,
        # Shared ports would let a second gateway on this machine take half of the connections unnoticed.
        "enable_reuse_port": False,
        "filter_chains": [{"filters": filters}],
    }
    return resource(LISTENER, name, parse(value, Listener()))


def _door() -> dict[str, Any]:
    """What a client may not say: our own headers, and Envoy's, which would change retries and timeouts."""
    mutations: list[dict[str, Any]] = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in (INTERNAL_PREFIX, "x-envoy-")
    ]
    mutations.append(
        {
            "append": {
                "header": {"key": OPEN_HEADER, "value": OPEN_KEY},
                "append_action": "APPEND_IF_EXISTS_OR_ADD",
            }
        }
    )
    kind = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    return {"name": "pointsman.door", "typed_config": known(kind, {"mutations": mutations})}


def _router() -> dict[str, Any]:
    # Envoy's own counters by status have a cost, and nobody reads them: attempts are counted below.
    value = {"suppress_envoy_headers": True, "dynamic_stats": False, "upstream_log": [attempt_stats()]}
    return {
        "name": "envoy.filters.http.router",
        "typed_config": known("envoy.extensions.filters.http.router.v3.Router", value),
    }

"""Envoy configurations to compare the gateway with: a plain proxy, and an upstream that answers by itself.

The plain proxy is what is left of a gateway that does nothing: one listener, one route, one cluster, router
filter only. The upstream is an Envoy too, because nothing written in Python answers fast enough to keep a
proxy busy.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.openai_answers import Question, plain_answer

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
_MANY = 100_000
"""Circuit breakers out of the way: the plain proxy must never be the one that refuses."""

UPSTREAM_HEADER = "x-upstream"
"""Response header in which an upstream says its name."""


def answer_body(model: str, completion_tokens: int = 64) -> str:
    """A chat answer of about 1 KB with usage, as an engine sends it."""
    question = Question(path="/v1/chat/completions", model=model, prompt_tokens=256)
    text = " ".join(["Envoy answers by itself."] * 24)
    return json.dumps(plain_answer(question, text, completion_tokens))


def _address(port: int, host: str = "127.0.0.1") -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _filter(name: str, kind: str, **fields: Any) -> Json:
    return {
        "name": name,
        "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.{kind}", **fields},
    }


def _listener(name: str, port: int, route: Json, filters: list[Json], host: str = "127.0.0.1") -> Json:
    connection_manager = {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [*filters, _filter("envoy.filters.http.router", "router.v3.Router")],
    }
    network = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager,
    }
    return {"name": name, "address": _address(port, host), "filter_chains": [{"filters": [network]}]}


def _bootstrap(admin_port: int, listeners: list[Json], clusters: list[Json]) -> Json:
    return {
        "node": {"id": "bench", "cluster": "bench"},
        "admin": {"address": _address(admin_port)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def plain_proxy(port: int, upstream_port: int, admin_port: int) -> Json:
    """Envoy as a plain HTTP/1.1 proxy from `port` to `upstream_port`, both on this machine."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "600s"}}
    breakers = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    thresholds = dict.fromkeys(breakers, _MANY)
    endpoint = {"endpoint": {"address": _address(upstream_port)}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [thresholds]},
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return _bootstrap(admin_port, [_listener("plain", port, route, [])], [cluster])


def answering_upstream(names_and_ports: dict[str, int], admin_port: int, *, host: str = "127.0.0.1") -> Json:
    """Envoy that answers each request by itself with a chat answer; a listener for each name.

    The answer's header `x-upstream` has the listener's name. The buffer filter makes it read a request whole
    before it answers, as an engine does; without it Envoy would answer at the headers and close the
    connection.
    """
    buffer = _filter("envoy.filters.http.buffer", "buffer.v3.Buffer", max_request_bytes=64 << 20)
    listeners = []
    for name, port in names_and_ports.items():
        headers = [("content-type", "application/json"), (UPSTREAM_HEADER, name)]
        route = {
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": answer_body(name)}},
            "response_headers_to_add": [
                {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                for key, value in headers
            ],
        }
        listeners.append(_listener(name, port, route, [buffer], host))
    return _bootstrap(admin_port, listeners, [])

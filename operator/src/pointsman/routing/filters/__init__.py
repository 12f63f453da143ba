"""Our own filters in Envoy: C sources beside the WebAssembly that they are compiled to."""

import base64
from functools import cache
from importlib.resources import files
from typing import Any

from pointsman.routing.typed import known

REQUEST, ATTEMPT = "request", "attempt"
SOURCES = {
    REQUEST: ("request", "json", "text", "memory"),
    ATTEMPT: ("attempt", "answer", "usage", "streams", "json", "text", "memory"),
}


@cache
def _code(name: str) -> str:
    return base64.b64encode(files(__package__).joinpath(f"{name}.wasm").read_bytes()).decode()


def wasm_filter(name: str) -> dict[str, Any]:
    """One of our filters as a part of a filter chain."""
    machine = {
        "vm_id": f"pointsman.{name}",
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"inline_bytes": _code(name)}},
    }
    plugin = {
        "name": f"pointsman.{name}",
        "allow_on_headers_stop_iteration": True,
        "vm_config": machine,
    }
    return {
        "name": f"pointsman.{name}",
        "typed_config": known("envoy.extensions.filters.http.wasm.v3.Wasm", {"config": plugin}),
    }

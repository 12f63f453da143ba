"""Our own filters in Envoy: C sources beside the WebAssembly that they are compiled to."""

from importlib.resources import files
from typing import Any

from pointsman.routing.typed import known

REQUEST, ATTEMPT = "request", "attempt"
SOURCES = {
    REQUEST: ("request", "json", "text", "memory"),
    ATTEMPT: ("attempt", "answer", "usage", "streams", "json", "text", "memory"),
}


def wasm_filter(name: str) -> dict[str, Any]:
    """One of our filters as a part of a filter chain."""
    machine = {
        "vm_id": f"pointsman.{name}",
        "runtime": "envoy.wasm.runtime.v8",
        # By its place: the code in each of 2,000 clusters was 45 MB to send, and 130 MB for Envoy to keep.
        "code": {"local": {"filename": str(files(__package__).joinpath(f"{name}.wasm"))}},
    }
    plugin = {
        "name": f"pointsman.{name}",
        "allow_on_headers_stop_iteration": True,
        # One that has failed is made anew; else each later request is 503 for as long as Envoy runs.
        "failure_policy": "FAIL_RELOAD",
        "vm_config": machine,
    }
    return {
        "name": f"pointsman.{name}",
        "typed_config": known("envoy.extensions.filters.http.wasm.v3.Wasm", {"config": plugin}),
    }

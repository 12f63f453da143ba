"""Our own filters in Envoy: C sources beside the modules made of them, one for each kind of processor."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pointsman.routing.typed import known, newer

REQUEST, ATTEMPT = "request", "attempt"
SOURCES = ("module", "request", "attempt", "answer", "told", "usage", "host", "json", "text")
PROCESSORS = ("x86_64", "aarch64")
MODULE = "filters.so"

_FILTER = "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"


def module_path(processor: str) -> Traversable:
    """Both filters as Envoy loads them on one of `PROCESSORS`."""
    return files(__package__).joinpath(processor, MODULE)


def our_filter(name: str, words: str, processor: str) -> dict[str, Any]:
    """One of our filters as a part of a filter chain, with what it is to know."""
    module = {
        "module": {"local": {"filename": str(module_path(processor))}},
        # Also while no listener and no cluster uses it: what has been loaded once stays.
        "do_not_close": True,
    }
    value = {
        "dynamic_module_config": module,
        "filter_name": name,
        "filter_config": known("google.protobuf.StringValue", {"value": words}),
    }
    return {"name": f"pointsman.{name}", "typed_config": newer(_FILTER, value)}

"""Which parts of bodies become metadata: what routing needs of a request, token counts of an answer."""

from typing import Any

from pointsman.routing.metrics import TOKENS
from pointsman.routing.names import METADATA
from pointsman.routing.typed import newer

_JSON = "envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata"
_EVENTS = "envoy.extensions.filters.http.sse_to_metadata.v3.SseToMetadata"
_PARSER = "envoy.extensions.content_parsers.json.v3.JsonContentParser"

# application/json, with or without parameters.
_CONTENT_TYPE = {"regex": r"(?i)application/json(\s*;.*)?"}
_LARGEST_EVENT_BYTES = 1024 * 1024

_REQUEST = {
    "model": ("model",),
    "stream": ("stream",),
    "include_usage": ("stream_options", "include_usage"),
    "prompt_cache_key": ("prompt_cache_key",),
}


def body_filter() -> dict[str, Any]:
    """Request bodies. Answers in one piece are read by request.lua, which need not hold them."""
    rules = [_rule(name, path) for name, path in _REQUEST.items()]
    rules[0]["on_missing"] = _entry("no_model", value=True)
    rules[0]["on_error"] = _entry("malformed", value=True)
    value = {
        "request_rules": {
            "rules": rules,
            "allow_content_types_regex": _CONTENT_TYPE,
            "allow_empty_content_type": True,
        },
    }
    return {"name": "pointsman.body", "typed_config": newer(_JSON, value)}


def event_filter() -> dict[str, Any]:
    """Answers that are streams of events; the last count wins."""
    paths = [(name, ("usage", *path)) for name, ways in TOKENS.items() for path in ways]
    # The responses API has its usage inside the event's response.
    paths += [(name, ("response", "usage", *path)) for name, ways in TOKENS.items() for path in ways[1:]]
    rules = [{"rule": _rule(name, path, number=True)} for name, path in paths]
    parser = {
        "name": "pointsman.usage",
        "typed_config": {"@type": f"type.googleapis.com/{_PARSER}", "rules": rules},
    }
    value = {"response_rules": {"content_parser": parser, "max_event_size": _LARGEST_EVENT_BYTES}}
    return {"name": "pointsman.events", "typed_config": newer(_EVENTS, value)}


def _rule(name: str, path: tuple[str, ...], *, number: bool = False) -> dict[str, Any]:
    kind = {"type": "NUMBER"} if number else {}
    return {"selectors": [{"key": key} for key in path], "on_present": {**_entry(name), **kind}}


def _entry(name: str, **value: Any) -> dict[str, Any]:
    return {"metadata_namespace": METADATA, "key": name, **value}

"""An object as the API server shows it to its rules: what was written, with the defaults of its kind."""

from collections.abc import Mapping
from typing import Any

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.cel.schemas import openapi_of


def as_admitted(kind: PolicyKind, written: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the schema's defaults; a pod as it is, since its own are the API server's code."""
    if kind is PolicyKind.POD:
        return dict(written)
    filled: dict[str, Any] = _filled(written, openapi_of(kind))
    return filled


def _filled(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping) and "properties" in schema:
        below = schema["properties"]
        given = {
            name: _filled(member, below[name]) if name in below else member for name, member in value.items()
        }
        missing = {
            name: _filled(one["default"], one)
            for name, one in below.items()
            if "default" in one and name not in value
        }
        return {**missing, **given}
    if isinstance(value, Mapping) and isinstance(schema.get("additionalProperties"), Mapping):
        return {name: _filled(member, schema["additionalProperties"]) for name, member in value.items()}
    if isinstance(value, list | tuple) and "items" in schema:
        return [_filled(item, schema["items"]) for item in value]
    return value

"""Every string, list, map and whole number of a schema has a bound.

The API server counts the worst case of each CEL rule by them, and refuses rules that might cost too much.
"""

from collections.abc import Iterator
from typing import Any

_BOUNDS = {
    "string": ("maxLength",),
    "array": ("maxItems",),
    "integer": ("minimum", "maximum"),
}


def unbounded(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Each place that lacks a bound, as "path: what is missing"."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if schema.get("x-kubernetes-int-or-string"):
        if "maxLength" not in schema:
            yield f"{path}: maxLength"
        return
    kind = schema.get("type")
    if kind is None or kind == "number":
        yield f"{path}: a type that can be bounded"
    if "enum" not in schema:
        yield from (f"{path}: {bound}" for bound in _BOUNDS.get(str(kind), ()) if bound not in schema)
    if "additionalProperties" in schema:
        if "maxProperties" not in schema:
            yield f"{path}: maxProperties"
        yield from unbounded(schema["additionalProperties"], f"{path}{{}}")
    if kind == "array":
        yield from unbounded(schema["items"], f"{path}[]")
    for name, below in schema.get("properties", {}).items():
        yield from unbounded(below, f"{path}.{name}")

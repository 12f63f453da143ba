"""What the CustomResourceDefinitions in crds/ ask of an object, as a list: one entry for each thing that can
be violated, so that tests can show that each is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tests.support.processes import REPOSITORY

Schema = Mapping[str, Any]

_BOUNDS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties", "pattern")


@dataclass(frozen=True)
class Constraint:
    """`path` as schemas say it: `spec.rules[].targets[].weight`, `{}` for each value of a map. `aspect` is
    the keyword (`maximum`, `pattern`, `required`, `unique`, `rule`, …), `detail` what it says there.
    """

    kind: str
    path: str
    aspect: str
    detail: str
    schema: Any
    """Of the value at `path`."""

    def __str__(self) -> str:
        return f"{self.kind} {self.path} {self.aspect} {self.detail}"

    def __hash__(self) -> int:
        return hash((self.kind, self.path, self.aspect, self.detail))


@cache
def schema_of(kind: str) -> Schema:
    """The openAPIV3Schema of one of our kinds, as committed."""
    for file in (REPOSITORY / "crds").glob("*.yaml"):
        definition = yaml.safe_load(file.read_text())
        if definition["spec"]["names"]["kind"] == kind:
            schema: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            return schema
    raise LookupError(f"crds/ has no {kind}")


def constraints(kind: str, part: str = "spec") -> Iterator[Constraint]:
    """Everything that can be violated in the spec (or the status) of a kind; rules on whole objects too."""
    schema = schema_of(kind)
    if part == "spec":
        yield from _rules(kind, "", schema)
        yield Constraint(kind, "", "required", "spec", schema)
    yield from _of_value(kind, part, schema["properties"][part])


def fields(kind: str, part: str) -> Iterator[str]:
    """Every path of a schema where a value can stand."""
    return _fields(part, schema_of(kind)["properties"][part])


def _of_value(kind: str, path: str, schema: Schema) -> Iterator[Constraint]:
    if "x-kubernetes-int-or-string" in schema:
        yield Constraint(kind, path, "type", "integer or string", schema)
    else:
        yield Constraint(kind, path, "type", schema["type"], schema)
    if "enum" in schema:
        yield Constraint(kind, path, "enum", ", ".join(schema["enum"]), schema)
    for bound in _BOUNDS:
        if bound in schema:
            yield Constraint(kind, path, bound, str(schema[bound]), schema)
    for name in schema.get("required", ()):
        yield Constraint(kind, path, "required", name, schema)
    if schema.get("x-kubernetes-list-type") in ("set", "map"):
        keys = ",".join(schema.get("x-kubernetes-list-map-keys", ()))
        yield Constraint(kind, path, "unique", keys, schema)
    yield from _rules(kind, path, schema)
    for name, below in schema.get("properties", {}).items():
        yield from _of_value(kind, f"{path}.{name}", below)
    if "items" in schema:
        yield from _of_value(kind, f"{path}[]", schema["items"])
    if "additionalProperties" in schema:
        yield from _of_value(kind, f"{path}{{}}", schema["additionalProperties"])
    if "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
        yield Constraint(kind, path, "unknown", "", schema)


def _rules(kind: str, path: str, schema: Schema) -> Iterator[Constraint]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield Constraint(kind, path, "rule", rule["rule"], rule)


def _fields(path: str, schema: Schema) -> Iterator[str]:
    yield path
    for name, below in schema.get("properties", {}).items():
        yield from _fields(f"{path}.{name}", below)
    if "items" in schema:
        yield from _fields(f"{path}[]", schema["items"])
    if "additionalProperties" in schema:
        yield from _fields(f"{path}{{}}", schema["additionalProperties"])


def stated_fields(path: str, value: Any, schema: Schema) -> Iterator[str]:
    """The paths of a schema at which a value says something."""
    yield path
    if "properties" in schema and isinstance(value, dict):
        for name, below in schema["properties"].items():
            if name in value:
                yield from stated_fields(f"{path}.{name}", value[name], below)
    elif "additionalProperties" in schema and isinstance(value, dict):
        for member in value.values():
            yield from stated_fields(f"{path}{{}}", member, schema["additionalProperties"])
    elif "items" in schema and isinstance(value, list):
        for item in value:
            yield from stated_fields(f"{path}[]", item, schema["items"])


def schema_path(field: str) -> str:
    """The path in the schema that an API server's field name belongs to, but for keys of maps."""
    return re.sub(r"\[\d+\]", "[]", field)


def with_defaults(value: Any, schema: Schema) -> Any:
    """What the API server should hold: what was written and the defaults that the schema states."""
    if "properties" in schema and isinstance(value, dict):
        below = schema["properties"]
        filled = {
            name: one["default"] for name, one in below.items() if "default" in one and name not in value
        }
        stated = {
            name: with_defaults(member, below[name]) if name in below else member
            for name, member in value.items()
        }
        return {**filled, **stated}
    if "items" in schema and isinstance(value, list):
        return [with_defaults(item, schema["items"]) for item in value]
    return value

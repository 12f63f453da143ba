"""An object that violates a constraint of a schema, where that takes no knowledge of what it is about."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.crds.schema import Constraint

Json = Any

_STEP = re.compile(r"([^.\[\]{}]+)|(\[\])|(\{\})")
_MISFITS = ("_ _", "\u00e9", "\x01", "?x")
"""One of them fits no pattern of ours."""


@dataclass(frozen=True)
class Damaged:
    """An object that violates `constraint` at `field`, as the API server says it."""

    constraint: Constraint
    field: str
    document: Json


def damaged(constraint: Constraint, documents: Sequence[Json]) -> Damaged | None:
    """One of the documents with the constraint violated; None where that takes knowledge of its meaning, or
    where no document has such a place.
    """
    for document in documents:
        broken = copy.deepcopy(document)
        for container, key, field in _places(broken, _steps(constraint.path), ""):
            if _violate(constraint, container, key):
                return Damaged(constraint, _field_of(constraint, field), broken)
    return None


def _steps(path: str) -> list[str]:
    return [found[0] for found in re.finditer(_STEP, path)]


def _places(value: Json, steps: list[str], field: str) -> Iterator[tuple[Json, Any, str]]:
    """Where a value at the path stands or could stand: its container, its key there, and how it is called."""
    step, *rest = steps or [""]
    if step == "":
        yield {"": value}, "", field
        return
    if step == "[]":
        keys: list[Any] = list(range(len(value))) if isinstance(value, list) else []
    elif step == "{}":
        keys = list(value) if isinstance(value, dict) else []
    else:
        keys = [step] if isinstance(value, dict) else []
    for key in keys:
        named = f"{field}[{key}]" if step == "[]" else f"{field}.{key}".lstrip(".")
        if not rest:
            yield value, key, named
        elif isinstance(key, int) or key in value:
            yield from _places(value[key], rest, named)


def _field_of(constraint: Constraint, field: str) -> str:
    match constraint.aspect:
        case "required":
            return f"{field}.{constraint.detail}".lstrip(".")
        case "unknown":
            return f"{field}.notAField"
        case "unique":
            return f"{field}[1]"
    return field


def _violate(constraint: Constraint, container: Json, key: Any) -> bool:
    """Whether it could be done."""
    schema, aspect = constraint.schema, constraint.aspect
    held: Json = container.get(key) if isinstance(container, dict) else container[key]
    if aspect in ("required", "unknown", "unique") and not held:
        return False
    match aspect:
        case "required":
            held.pop(constraint.detail, None)
        case "unknown":
            held["notAField"] = "x"
        case "unique":
            held[:] = [held[0], copy.deepcopy(held[0])]
        case "rule":
            return _violate_rule(constraint.detail, container, key)
        case _:
            value = _wrong_value(aspect, schema, held)
            if value is None:
                return False
            container[key] = value
    return True


def _wrong_value(aspect: str, schema: Json, held: Json) -> Json:
    match aspect:
        case "type":
            return {"object": "x", "array": "x", "string": 7, "integer": "x", "boolean": "x"}.get(
                schema.get("type", ""), ["x"]
            )
        case "enum":
            return "no-such-word"
        case "pattern":
            return next(text for text in _MISFITS if not re.search(schema["pattern"], text))
        case "minLength":
            return ""
        case "maxLength":
            return "x" * (schema["maxLength"] + 1)
        case "minimum":
            return schema["minimum"] - 1
        case "maximum":
            return schema["maximum"] + 1
        case "minItems":
            return []
        case "maxItems":
            return [_item(number, held, schema) for number in range(schema["maxItems"] + 1)]
        case "maxProperties":
            value = next(iter(held.values())) if held else "x"
            return {f"k{number}": value for number in range(schema["maxProperties"] + 1)}
    return None


def _item(number: int, held: Json, schema: Json) -> Json:
    """One of many items that are told apart where they must be."""
    first: Json = copy.deepcopy(held[0]) if held else "x"
    for name in schema.get("x-kubernetes-list-map-keys", ()):
        if "enum" not in schema["items"]["properties"][name]:
            first[name] = f"x{number}"
    is_set = schema.get("x-kubernetes-list-type") == "set" and "enum" not in schema["items"]
    return f"x{number}" if is_set else first


def _violate_rule(rule: str, container: Json, key: Any) -> bool:
    """The rules that say the same at many places."""
    if rule.startswith("self.all(key, key.matches("):
        container[key] = {"not a key": next(iter(container.get(key, {}).values()), "x")}
    elif rule == "duration(self) > duration('0s')":
        container[key] = "0s"
    elif rule == "duration(self) <= duration('8760h')":
        container[key] = "8761h"
    else:
        return False
    return True

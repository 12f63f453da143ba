"""What of an object a field manager said, as its managed fields have it: by server-side apply, or when it
created it.

Written apart from the product's own reading of managed fields on purpose: tests compare the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def owned_part(live: Mapping[str, Any], manager: str, subresource: str = "") -> Any:
    """The object with the manager's own fields alone; {} where it applied nothing."""
    for entry in live["metadata"].get("managedFields", ()):
        said = (entry["manager"], entry["operation"], entry.get("subresource", ""))
        if said == (manager, "Apply", subresource):
            return _part(live, entry["fieldsV1"])
    return {}


def is_created(live: Mapping[str, Any], manager: str) -> bool:
    """Whether the manager created the object and never applied it: defaults are noted as its own then."""
    entries = live["metadata"].get("managedFields", ())
    applied = any(entry["manager"] == manager and entry["operation"] == "Apply" for entry in entries)
    return not applied and any(entry["manager"].startswith(f"{manager}/made/") for entry in entries)


def as_far_as(value: Any, said: Any) -> Any:
    """The value without members that `said` does not have; more items than said stay."""
    if isinstance(value, Mapping) and isinstance(said, Mapping):
        return {name: as_far_as(member, said[name]) for name, member in value.items() if name in said}
    if isinstance(value, list) and isinstance(said, list) and len(value) == len(said):
        return [as_far_as(item, other) for item, other in zip(value, said, strict=True)]
    return value


def _part(value: Any, fields: Mapping[str, Any]) -> Any:
    below = {step: rest for step, rest in fields.items() if step != "."}
    if not below:
        return value
    if isinstance(value, Mapping):
        names = {step.removeprefix("f:"): rest for step, rest in below.items()}
        return {name: _part(value[name], rest) for name, rest in names.items() if name in value}
    return [found for item in value for found in _items(item, below)]


def _items(item: Any, fields: Mapping[str, Any]) -> list[Any]:
    for step, rest in fields.items():
        kind, _, text = step.partition(":")
        named = json.loads(text)
        if kind == "v" and item == named:
            return [item]
        if kind == "k" and all(item.get(name) == value for name, value in named.items()):
            return [_part(item, rest)]
    return []

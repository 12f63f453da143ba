"""An intent without some of its fields, named as the API server names them in a conflict. Pure.

`.spec.template.spec.containers[name="engine"].image`: names of members may have dots themselves, so a path is
read along the object that it leads through.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pointsman.kube.objects import KubeObject

_ITEM: Final = re.compile(r"\[([^]]*)]")
_PAIR: Final = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^,]+)')
_AFTER_A_NAME: Final = ("", ".", "[")


def without_fields(obj: KubeObject, paths: Iterable[str]) -> KubeObject:
    """The object without these fields; a path that leads nowhere changes nothing."""
    for path in paths:
        obj = _without(obj, path)
    return obj


def _without(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return _without_member(value, path)
    item = _ITEM.match(path)
    if isinstance(value, list | tuple) and item is not None:
        rest = path[item.end() :]
        found = ((one, _is_item(one, item[1])) for one in value)
        return [_without(one, rest) if named else one for one, named in found if rest or not named]
    return value


def _without_member(value: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for name in sorted(value, key=len, reverse=True):
        rest = path.removeprefix(f".{name}")
        if rest == path or rest[:1] not in _AFTER_A_NAME:
            continue
        if rest:
            return {**value, name: _without(value[name], rest)}
        return {other: member for other, member in value.items() if other != name}
    return value


def _is_item(item: Any, said: str) -> bool:
    """Whether `name="engine"` or `=value` says this item; the API server fills in keys nobody stated."""
    if said.startswith("="):
        return bool(json.dumps(item) == said[1:])
    pairs = _PAIR.findall(said)
    return (
        bool(pairs)
        and isinstance(item, Mapping)
        and any(name in item for name, _ in pairs)
        and all(json.dumps(item[name]) == text for name, text in pairs if name in item)
    )

"""Whether a live object already is what we would apply. Pure.

The managed fields say what the API server took from our last apply, and in which structure: a map or a list
by key has members of its own (`f:`, `k:`, `v:`), anything else is one value. So no schema is needed:

- wanted but not ours: never applied, or somebody else changed it since (whoever writes another value takes
  the field from us);
- ours but no longer wanted: to be applied, which removes it;
- ours and wanted: compared by value, with what the API server spells in another way or fills in.

Of what we created and never applied, defaults are ours as well: there nothing is wanted no more as long as
it was made of the same intent, and another intent is to be applied in any case (`made.py`).

What others own, and what the API server fills in beside our fields, is not looked at.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman.json_text import dumped, loaded
from pointsman.kube.made import is_made, is_made_of, is_of, made_fields
from pointsman.kube.normal_forms import Path, is_default, is_forgotten, same_scalar
from pointsman.kube.objects import KubeObject, metadata, without_nothing

_SELF: Final = "."
# What the API server takes out of every set of managed fields (fieldmanager's stripMeta): names, not intent.
_NAMING: Final = frozenset(
    {
        "creationTimestamp",
        "generateName",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
# What the API server leaves out of an object as if it were not there (Go's omitempty).
_ZERO: Final[tuple[Any, ...]] = ({}, [], "", 0, False)
_ASKED_FOR: Final = ("manager", "operation", "subresource")  # of an entry of managed fields, but its fields
_ENOUGH: Final = 20  # differences; a message with more of them is not read


@dataclass(frozen=True, slots=True)
class Difference:
    """One field and why it needs a call: `spec.replicas: 2 is wanted, 3 is there`."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}" if self.path else self.why


def differences(
    live: KubeObject | None, wanted: KubeObject, manager: str, *, subresource: str = ""
) -> tuple[Difference, ...]:
    """What an apply of `wanted` by `manager` would change; empty where nothing needs to be written.

    `live` is as the API server gave it, with the managed fields of this manager; None where there is none.
    With `subresource` "status", `status` alone is compared, else all but `status`.
    """
    if live is None:
        return (Difference("", "it does not exist"),)
    live = dict(live)  # what is kept as text is read once
    owned = owned_fields(live, manager, subresource=subresource)
    intent = _intent(wanted, subresource)
    is_new = owned is None and not subresource and is_made(live, manager)
    if is_new:
        if not is_made_of(live, wanted, manager):
            return (Difference("", "it was made of something else"),)
        owned = made_fields(live, manager)
    if owned is None:
        claims = next(_compare({_SELF: {}}, intent, live, (), False), None)
        return (Difference("", f"{manager} never applied it"),) if claims else ()
    found: list[Difference] = []
    for difference in _compare(owned, intent, live, (), is_new):
        found.append(difference)
        if len(found) == _ENOUGH:
            break
    return tuple(found)


def owned_fields(live: KubeObject, manager: str, *, subresource: str = "") -> Mapping[str, Any] | None:
    """The field set of the manager's applies (`fieldsV1`); None where it has none."""
    for entry in metadata(live).get("managedFields") or ():
        if (
            entry.get("manager") == manager
            and entry.get("operation") == "Apply"
            and (entry.get("subresource") or "") == subresource
        ):
            fields = entry.get("fieldsV1") or {}
            owned: Mapping[str, Any] = loaded(fields) if isinstance(fields, str) else fields
            return owned
    return None


def is_by(live: KubeObject, manager: str) -> bool:
    """Whether the manager has made or applied any of it."""
    return is_made(live, manager) or any(
        entry.get("manager") == manager and entry.get("operation") == "Apply"
        for entry in metadata(live).get("managedFields") or ()
    )


def keep_own_fields(obj: KubeObject, managers: frozenset[str]) -> KubeObject:
    """The object without the managed fields of others, and with ours as one text: half of the memory of a
    store would be theirs. `owned_fields` reads them.
    """
    meta = metadata(obj)
    entries = meta.get("managedFields")
    if not entries or all(_is_packed(entry) and _is_of_any(entry, managers) for entry in entries):
        return obj
    ours = [_packed(entry) for entry in entries if _is_of_any(entry, managers)]
    return {**obj, "metadata": {**meta, "managedFields": ours}}


def _is_of_any(entry: Mapping[str, Any], managers: frozenset[str]) -> bool:
    return any(is_of(entry.get("manager"), manager) for manager in managers)


def _packed(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if _is_packed(entry):
        return entry
    text = dumped(entry["fieldsV1"]).decode()
    return {**{name: entry[name] for name in _ASKED_FOR if name in entry}, "fieldsV1": text}


def _is_packed(entry: Mapping[str, Any]) -> bool:
    return not isinstance(entry.get("fieldsV1"), Mapping)


def _intent(wanted: KubeObject, subresource: str) -> dict[str, Any]:
    """What an apply of it would claim."""
    if subresource:
        return {subresource: without_nothing(wanted.get(subresource) or {})}
    intent: dict[str, Any] = without_nothing(
        {name: value for name, value in wanted.items() if name not in {"apiVersion", "kind", "status"}}
    )
    meta = {name: value for name, value in intent.get("metadata", {}).items() if name not in _NAMING}
    intent.pop("metadata", None)
    return {**intent, "metadata": meta} if meta else intent


def _compare(
    owned: Mapping[str, Any], wanted: Any, live: Any, path: Path, is_new: bool
) -> Iterator[Difference]:
    """Differences at and below `path`, where `owned` is our node of the managed fields; of what is new,
    made of just this, it has defaults too, and nothing that is left out as if it were not there.
    """
    members = [name for name in owned if name != _SELF]
    if isinstance(wanted, Mapping) and owned:
        yield from _compare_map(owned, wanted, live, path, is_new)
    elif isinstance(wanted, list) and members and members[0][:2] == "k:":
        yield from _compare_keyed(owned, wanted, live, path, is_new)
    elif isinstance(wanted, list) and members and members[0][:2] == "v:":
        yield from _compare_set(owned, wanted, live, path, is_new)
    elif members:
        yield Difference(_text(path), "it had members, and a plain value is wanted")
    elif not _same_whole(wanted, live, path):
        yield Difference(_text(path), f"{_short(wanted)} is wanted, {_short(live)} is there")


def _compare_map(
    owned: Mapping[str, Any], wanted: Mapping[str, Any], live: Any, path: Path, is_new: bool
) -> Iterator[Difference]:
    there: Mapping[str, Any] = live if isinstance(live, Mapping) else {}
    for name, value in wanted.items():
        node = owned.get("f:" + name)
        if node == {} and type(value) is str and there.get(name) == value:
            continue  # most values by far, and nothing in them to look at
        below = (*path, name)
        if node is None:
            # The API server does not store an empty list, and may not note that it was wanted.
            if is_new and _says_nothing(value, there.get(name)):
                continue
            if not _claims_nothing(value, there.get(name)):
                yield Difference(_text(below), f"{_short(value)} is wanted, and the field is not ours")
        elif name not in there and value not in _ZERO:
            yield Difference(_text(below), f"{_short(value)} is wanted, nothing is there")
        else:
            yield from _compare(node, value, there.get(name, value), below, is_new)
    for name in () if is_new else owned:
        if name != _SELF and name[2:] not in wanted:
            yield Difference(_text((*path, name[2:])), "it is ours and no longer wanted")


def _compare_keyed(
    owned: Mapping[str, Any], wanted: Sequence[Any], live: Any, path: Path, is_new: bool
) -> Iterator[Difference]:
    """A list whose items are told apart by some of their members, such as containers by name."""
    keys = {name: loaded(name[2:]) for name in owned if name != _SELF}
    there = [item for item in live or () if isinstance(item, Mapping)] if isinstance(live, list) else []
    places: list[int] = []
    seen: set[str] = set()
    for item in wanted:
        name = next((name for name, key in keys.items() if _has_key(item, key, path)), None)
        if name is None:
            yield Difference(_text((*path, _item_name(item))), "it is wanted, and it is not ours")
            continue
        seen.add(name)
        below = (*path, _key_name(keys[name]))
        place = next((at for at, other in enumerate(there) if _has_key(other, keys[name], path)), None)
        if place is None:
            yield Difference(_text(below), "it is wanted, and nothing is there")
            continue
        places.append(place)
        yield from _compare(owned[name], item, there[place], below, is_new)
    for name, key in keys.items():
        if name not in seen and not is_new:
            yield Difference(_text((*path, _key_name(key))), "it is ours and no longer wanted")
    if places != sorted(places):
        yield Difference(_text(path), "another order is wanted")


def _compare_set(
    owned: Mapping[str, Any], wanted: Sequence[Any], live: Any, path: Path, is_new: bool
) -> Iterator[Difference]:
    """A list of plain values without order."""
    ours = [loaded(name[2:]) for name in owned if name != _SELF]
    there = live if isinstance(live, list) else []
    for value in wanted:
        if value not in ours or value not in there:
            yield Difference(_text((*path, _short(value))), "it is wanted, and it is not ours")
    for value in ours:
        if value not in wanted and not is_new:
            yield Difference(_text((*path, _short(value))), "it is ours and no longer wanted")


def _same_whole(wanted: Any, live: Any, path: Path) -> bool:
    """Whether two values are one, with known defaults filled in: nothing else may be in `live` alone."""
    if type(wanted) is type(live) is str and wanted == live:
        return True  # most values by far
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping):
            return live is None and not wanted
        extra = [name for name in live if name not in wanted]
        return all(is_default((*path, name), live[name], live) for name in extra) and all(
            _same_whole(value, live[name], (*path, name)) if name in live else is_forgotten(name, value)
            for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not isinstance(live, list):
            return live is None and not wanted
        return len(wanted) == len(live) and all(
            _same_whole(ours, theirs, (*path, "*")) for ours, theirs in zip(wanted, live, strict=True)
        )
    return same_scalar(wanted, live, path)


def _has_key(item: Any, key: Mapping[str, Any], path: Path) -> bool:
    """Whether an item of a list has this key, where the API server may have filled in a part of it."""
    if not isinstance(item, Mapping):
        return False
    return all(
        same_scalar(item[name], value, (*path, "*", name))
        if name in item
        else is_default((*path, "*", name), value, item)
        for name, value in key.items()
    )


def _claims_nothing(value: Any, live: Any) -> bool:
    """Whether it is an empty list where there is nothing, or a map of no more than that."""
    if isinstance(value, Mapping):
        there: Mapping[str, Any] = live if isinstance(live, Mapping) else {}
        return bool(value) and all(_claims_nothing(member, there.get(name)) for name, member in value.items())
    return bool(value == []) and not live


def _says_nothing(value: Any, live: Any) -> bool:
    """Whether it is left out as if it were not there, or a map of no more than that."""
    if isinstance(value, Mapping) and value:
        there: Mapping[str, Any] = live if isinstance(live, Mapping) else {}
        return all(_says_nothing(member, there.get(name)) for name, member in value.items())
    return value in _ZERO and not live


def _key_name(key: Mapping[str, Any]) -> str:
    return "[" + ",".join(f"{name}={value}" for name, value in key.items()) + "]"


def _item_name(item: Any) -> str:
    return f"[{item['name']}]" if isinstance(item, Mapping) and "name" in item else f"[{_short(item)}]"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _text(path: Path) -> str:
    return ".".join(path).replace(".[", "[")

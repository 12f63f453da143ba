"""Objects that a manager created and has never applied: known by whom, made of what. Pure.

To create costs the API server half of an apply that makes the same object. What it notes is an update: of all
fields, with defaults of its own among them, so that nobody can tell later which of them were asked for. The
name of the manager that is noted has a digest of the intent, and with that the question is answered: the same
intent wants the same fields. Before another intent is applied, the note is turned into that of an apply;
else what is wanted no more would stay (client-go's csaupgrade does the same for kubectl).
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pointsman.json_text import dumped, loaded
from pointsman.kube.objects import KubeObject, metadata

_MADE: Final = "/made/"
_DIGITS: Final = 16
_APPLY: Final = "Apply"
_UPDATE: Final = "Update"

Entry = Mapping[str, Any]
"""Of `metadata.managedFields`."""


def intent_digest(wanted: KubeObject) -> str:
    """Short for what is wanted; the same for the same JSON."""
    return hashlib.sha256(dumped(wanted, is_sorted=True)).hexdigest()


def maker(manager: str, wanted: KubeObject) -> str:
    """The name that `manager` goes by while it creates what is wanted: at most 128 characters."""
    return f"{manager}{_MADE}{intent_digest(wanted)[:_DIGITS]}"


def is_of(name: object, manager: str) -> bool:
    """Whether a name in managed fields is the manager's, by itself or while creating."""
    return isinstance(name, str) and name.partition(_MADE)[0] == manager


def is_made(live: KubeObject, manager: str) -> bool:
    """Whether the manager created it and has never applied it since."""
    return _creation(live, manager) is not None


def is_made_of(live: KubeObject, wanted: KubeObject, manager: str) -> bool:
    """Whether the manager created it of exactly this intent, and has never applied it since."""
    entry = _creation(live, manager)
    return entry is not None and entry.get("manager") == maker(manager, wanted)


def made_fields(live: KubeObject, manager: str) -> Mapping[str, Any]:
    """The field set of the creation, as far as nobody took fields over; empty where there was none."""
    entry = _creation(live, manager)
    return {} if entry is None else _fields(entry)


def as_applied(entries: Sequence[Entry], manager: str) -> list[Entry]:
    """All managed fields of an object with those of its creation as an apply of the manager."""
    creations = [entry for entry in entries if _is_creation(entry, manager)]
    if not creations:
        return list(entries)
    found: dict[str, Any] = {}
    rest = []
    for entry in entries:
        if _is_creation(entry, manager) or _is_apply(entry, manager):
            found = _union(found, _fields(entry))
        else:
            rest.append(entry)
    return [*rest, {**creations[-1], "manager": manager, "operation": _APPLY, "fieldsV1": found}]


def _creation(live: KubeObject, manager: str) -> Entry | None:
    entries = metadata(live).get("managedFields") or ()
    if any(_is_apply(entry, manager) for entry in entries):
        return None
    return next((entry for entry in entries if _is_creation(entry, manager)), None)


def _is_creation(entry: Entry, manager: str) -> bool:
    name = entry.get("manager")
    is_main = entry.get("operation") == _UPDATE and not entry.get("subresource")
    return is_main and name != manager and is_of(name, manager)


def _is_apply(entry: Entry, manager: str) -> bool:
    named = entry.get("manager") == manager and entry.get("operation") == _APPLY
    return named and not entry.get("subresource")


def _fields(entry: Entry) -> Mapping[str, Any]:
    fields = entry.get("fieldsV1") or {}
    found: Mapping[str, Any] = loaded(fields) if isinstance(fields, str) else fields
    return found


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _union(one.get(name, {}), other.get(name, {})) for name in (*one, *other)}

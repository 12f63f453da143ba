"""What `pointsman get` shows: the objects of a state folder or a cluster, in rows or as documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pointsman.api.deployment_verdicts import FORMER_VERSION_SERVES
from pointsman.api.markers import Column
from pointsman.api.meta import DEFAULT_NAMESPACE, GROUP
from pointsman.api.resource import Resource
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN
from pointsman.errors import PointsmanError
from pointsman.local.display.kinds import CATEGORY, KINDS, kind_named, singular
from pointsman.local.display.table import ABSENT, aligned, cell, shown_columns, with_defaults


class Objects(Protocol):
    """Whoever has objects with their status."""

    def objects(self, kind: str) -> Sequence[dict[str, Any]]:
        """Those of a kind, by namespace and name. Raises PointsmanError if they cannot be read."""


@dataclass(frozen=True)
class Selection:
    """Which objects: the kinds, and a name and a namespace if only those are wanted."""

    kinds: tuple[type[Resource], ...]
    name: str = ""
    namespace: str = ""

    @property
    def is_one_kind(self) -> bool:
        return len(self.kinds) == 1


def select(text: str, namespace: str) -> Selection:
    """`KIND`, `KIND/NAME` or nothing. Raises PointsmanError for an unknown kind."""
    kind, _, name = text.partition("/")
    if kind in ("", CATEGORY, "all"):
        return Selection(KINDS, name, namespace)
    return Selection((kind_named(kind),), name, namespace)


def chosen(state: Objects, selection: Selection) -> Iterator[tuple[type[Resource], dict[str, Any]]]:
    """The stored objects of a selection, by kind, namespace and name."""
    for kind in selection.kinds:
        for document in state.objects(kind.__name__):
            metadata = document.get("metadata", {})
            if selection.name and metadata.get("name") != selection.name:
                continue
            if selection.namespace and kind.namespaced and namespace_of(document) != selection.namespace:
                continue
            yield kind, document


def namespace_of(document: dict[str, Any]) -> str:
    return str(document.get("metadata", {}).get("namespace", DEFAULT_NAMESPACE))


def one(state: Objects, selection: Selection) -> tuple[type[Resource], dict[str, Any]]:
    """The only object of a selection with a name. Raises PointsmanError if there is none, or if there are
    several.
    """
    found = list(chosen(state, selection))
    if not found:
        is_apart = selection.namespace and selection.kinds[0].namespaced
        where = f" in namespace {selection.namespace}" if is_apart else ""
        kind = singular(selection.kinds[0])
        raise PointsmanError(f"there is no {kind} {selection.name}{where}", todo=f"see: pointsman get {kind}")
    if len(found) > 1:
        namespaces = ", ".join(sorted(namespace_of(document) for _, document in found))
        raise PointsmanError(f"{selection.name} is in the namespaces {namespaces}", todo="choose one with -n")
    return found[0]


def tables(state: Objects, selection: Selection, *, wide: bool, live: bool, now: datetime) -> list[list[str]]:
    """One table a kind, each a list of lines with the heading first; kinds without objects are left out.

    `live` is whether what wrote their status runs: without it nobody knows what is ready.
    """
    found = list(chosen(state, selection))
    with_namespace = not selection.namespace and any(
        kind.namespaced and namespace_of(document) != DEFAULT_NAMESPACE for kind, document in found
    )
    made = []
    for kind in selection.kinds:
        documents = [document for other, document in found if other is kind]
        if documents:
            columns = shown_columns(kind, wide)
            begin = ["NAMESPACE"] if with_namespace and kind.namespaced else []
            rows = [[*begin, "NAME", *(column.name.upper() for column in columns)]]
            adapters = wide and any(_adapters(document) for document in documents)
            if adapters:
                rows[0].append("ADAPTERS")
            for document in documents:
                complete = with_defaults(kind, document)
                name = complete["metadata"]["name"]
                label = name if selection.is_one_kind else f"{singular(kind)}.{GROUP}/{name}"
                first = [namespace_of(document)] if begin else []
                rows.append([*first, label, *(_shown(complete, column, live, now) for column in columns)])
                if adapters:
                    rows[-1].append(_adapters(document) or ABSENT)
            made.append(aligned(rows))
    return made


def _shown(document: dict[str, Any], column: Column, live: bool, now: datetime) -> str:
    """A cell, told of what a column's path alone does not say."""
    if column.name == "Ready" and not live:
        return str(UNKNOWN)
    if column.name in ("Replicas", "Desired") and "hosted" in document.get("spec", {}):
        # The provider's are not known, and the default of spec.replicas means nothing there.
        return ABSENT
    text = cell(document, column, now)
    if column.name == "Model" and _former_version_serves(document):
        return f"{text} (former version serves)"
    return text


def _adapters(document: dict[str, Any]) -> str:
    """Which adapters it answers as, and how many of its ready replicas have each; a column of a definition
    can show but one of a list.
    """
    status = document.get("status", {})
    ready = status.get("readyReplicas", 0)
    return ",".join(f"{one['name']}({one.get('loaded', 0)}/{ready})" for one in status.get("adapters", ()))


def _former_version_serves(document: dict[str, Any]) -> bool:
    """Whether a deployment answers with another version than the stated one, whose weights may not even be
    here.
    """
    found = {one["type"]: one for one in document.get("status", {}).get("conditions", ())}
    available = found.get("Available", {})
    weights = found.get("WeightsAvailable", {})
    is_other = available.get("reason") == FORMER_VERSION_SERVES or weights.get("status") == FALSE
    return is_other and bool(available.get("status") == TRUE)


def as_list(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Objects as kubectl's List, for `-o json` and `-o yaml`."""
    return {"apiVersion": "v1", "kind": "List", "items": documents}

"""Objects as an API server tells of them, read once: what did not change stays the same Python object.

A status that was written, or a label, is no change of what is routed; so is a list that comes again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from pointsman.api import ModelDeployment, ModelRoute, ObjectKey, Secret
from pointsman.api.explanations import first_mistake
from pointsman.api.secret import ALLOWED_HOSTS

R = TypeVar("R", ModelDeployment, ModelRoute, Secret)

Document = Mapping[str, Any]
"""An object as JSON."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that an API server with older or looser rules took, and why there is no reading it."""

    why: str
    generation: int


class KnownObjects(Generic[R]):
    """One kind's objects. The last version that could be read stays, as long as it is the same object."""

    def __init__(self, kind: type[R], reduced: Callable[[Document], Document]) -> None:
        """`reduced` leaves of a document what is read, nothing of which may change by itself."""
        self._kind: type[R] = kind
        self._reduced = reduced
        self._read: dict[ObjectKey, R] = {}
        self._of: dict[ObjectKey, Document] = {}
        self._snapshot: Mapping[ObjectKey, R] = {}
        self._is_stale = False
        self.unreadable: dict[ObjectKey, Unreadable] = {}

    @property
    def objects(self) -> Mapping[ObjectKey, R]:
        """All that could be read; the same mapping while nothing changes."""
        if self._is_stale:
            self._snapshot = dict(self._read)
            self._is_stale = False
        return self._snapshot

    def take(self, document: Document) -> bool:
        """An object is there; gives whether it differs from what was known."""
        reduced = self._reduced(document)
        meta = reduced["metadata"]
        key = ObjectKey(str(meta.get("namespace") or ""), str(meta["name"]))
        former = self._of.get(key)
        if former == reduced:
            return False
        self._of[key] = reduced
        try:
            read = self._kind.model_validate(reduced, extra="ignore")
        except ValidationError as error:
            self.unreadable[key] = Unreadable(
                first_mistake(error, self._kind), int(meta.get("generation") or 0)
            )
            if former is not None and former["metadata"].get("uid") != meta.get("uid"):
                self._forget(key)
            return True
        self.unreadable.pop(key, None)
        self._read[key] = read
        self._is_stale = True
        return True

    def drop(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._of.pop(key, None)
        self.unreadable.pop(key, None)
        self._forget(key)

    def _forget(self, key: ObjectKey) -> None:
        if self._read.pop(key, None) is not None:
            self._is_stale = True


def known_deployments() -> KnownObjects[ModelDeployment]:
    return KnownObjects(ModelDeployment, _stated)


def known_routes() -> KnownObjects[ModelRoute]:
    return KnownObjects(ModelRoute, _stated)


def known_secrets() -> KnownObjects[Secret]:
    return KnownObjects(Secret, _secret)


def _stated(document: Document) -> Document:
    """Name, age and generation, and the spec."""
    return {
        "metadata": _members(document, "name", "namespace", "uid", "generation", "creationTimestamp"),
        "spec": document.get("spec"),
    }


def _secret(document: Document) -> Document:
    """What chooses it, where it may go, and its values."""
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    kept = {name: value for name, value in annotations.items() if name == ALLOWED_HOSTS}
    return {
        "metadata": {**_members(document, "name", "namespace", "uid", "labels"), "annotations": kept},
        "data": document.get("data") or {},
    }


def _members(document: Document, *names: str) -> Document:
    meta = document.get("metadata") or {}
    return {name: meta[name] for name in names if meta.get(name) is not None}

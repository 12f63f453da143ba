"""What controllers see of the API server; `reader.py` and `writer.py` are the adapters over a connection."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pointsman.api.meta import ObjectKey
from pointsman.kube.objects import Kind, KubeObject

CHUNK = 100
"""Objects in one answer of a list. kubectl asks for 500; ten lists of those at once, as at a start, are a
hundred megabytes of Python objects for a moment, and a process never gives them back.
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind: those of one namespace (empty: all), by label and field selector."""

    kind: Kind
    namespace: str = ""
    labels: str = ""
    fields: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        which = ", ".join(part for part in (self.labels, self.fields) if part)
        return f"{self.kind}{where}{f' ({which})' if which else ''}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a list. All chunks of one list have one resource version, from which a watch goes on."""

    items: tuple[KubeObject, ...]
    resource_version: str


class Change(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. Of a BOOKMARK only the resource version of `obj` means something."""

    change: Change
    obj: KubeObject


class Propagation(StrEnum):
    """What happens to the objects that the deleted one owns."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class Reader(Protocol):
    """Each method raises KubeError; KindNotServed where the kind itself is not installed."""

    async def get(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        """The object, or None where there is none."""

    async def list(self, selection: Selection) -> tuple[KubeObject, ...]:
        """All objects, at once."""

    def chunks(self, selection: Selection, size: int = CHUNK) -> AsyncGenerator[Chunk, None]:
        """All objects in parts; raises Gone where reading them took longer than the API server remembers."""

    def watch(
        self, selection: Selection, resource_version: str, timeout_seconds: int
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after `resource_version`, with bookmarks, one at once. Ends when the server ends it.

        Raises Gone where the version is too old, Silent where nothing came for long, Interrupted where the
        connection broke.
        """


class Writer(Protocol):
    """Each method raises KubeError; LeadershipLost, with nothing written, where the fence is closed."""

    async def apply(self, obj: KubeObject, manager: str, *, force: bool = False) -> KubeObject:
        """Server-side apply of all that `manager` wants of the object, without its status; gives the outcome.

        Without `force`, a field that another manager owns with another value raises Conflict.
        `metadata.resourceVersion` in it makes it fail with Conflict if the object changed since, and
        `metadata.uid` if it was replaced or is gone.
        """

    async def make(self, obj: KubeObject, manager: str) -> KubeObject:
        """Create what is not there, half as dear as an apply; give the outcome. Sent again where it is not
        known whether it was created, so AlreadyExists may be of our own write.
        """

    async def note_as_applied(self, there: KubeObject, manager: str) -> None:
        """Turn the note that `manager` made an object into one that it applied it: to be done before it
        applies something else, over just what was read (Conflict otherwise).
        """

    async def apply_status(self, obj: KubeObject, manager: str, *, force: bool = True) -> KubeObject:
        """The same of `status` alone; anything else in the object but its name is left out."""

    async def create(self, obj: KubeObject) -> KubeObject:
        """Raises AlreadyExists, or Interrupted where it is not known whether it was created."""

    async def replace(self, obj: KubeObject) -> KubeObject:
        """Write the whole object over the resource version that it says; raises Conflict if that is past."""

    async def merge(self, kind: Kind, key: ObjectKey, patch: Mapping[str, Any]) -> KubeObject:
        """Change the members that `patch` has; null removes one (RFC 7386)."""

    async def scale(
        self, kind: Kind, key: ObjectKey, replicas: int, manager: str, *, resource_version: str = ""
    ) -> None:
        """Write the number of replicas through the scale subresource; with a resource version only over that,
        and Conflict otherwise.
        """

    async def delete(
        self,
        kind: Kind,
        key: ObjectKey,
        uid: str = "",
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> bool:
        """Delete the object, only the one with `uid` where that is given; False where it was gone already."""

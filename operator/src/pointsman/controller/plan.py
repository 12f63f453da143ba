"""What a decision asks for: plain data, carried out elsewhere. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pointsman.api import ObjectKey
from pointsman.kube.objects import Kind, KubeObject


@dataclass(frozen=True, slots=True)
class Doomed:
    """An object to delete: the one with this uid and no later one of the same name."""

    kind: Kind
    key: ObjectKey
    uid: str


@dataclass(frozen=True, slots=True)
class Trimmed:
    """An object of which `patch` (RFC 7386) takes what somebody else wrote there."""

    kind: Kind
    key: ObjectKey
    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event about the object that was decided upon. Messages are stable, as those of conditions are."""

    reason: str
    message: str
    is_warning: bool = False

    @classmethod
    def of(cls, reason: str, message: str, *, is_warning: bool) -> Self:
        """Of a trouble or of Ready, where the condition may say no more than its reason."""
        return cls(reason, message or (reason if is_warning else "requests are answered"), is_warning)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole intent for one object: what is to exist, what is not, what its status says.

    `apply` holds every object that should be there, in the order in which they are written, whether or not
    they are there already: what differs is found when the plan is carried out. `status` is the document of
    the status subresource, without what others write there. `again_after_seconds` asks for another look
    though nothing may change.
    """

    apply: tuple[KubeObject, ...] = ()
    delete: tuple[Doomed, ...] = ()
    trim: tuple[Trimmed, ...] = ()
    status: Mapping[str, Any] | None = None
    announcements: tuple[Announcement, ...] = ()
    again_after_seconds: float | None = None

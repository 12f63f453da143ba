"""What the API server may answer instead of an object, as types that callers tell apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pointsman.errors import PointsmanError


class KubeError(PointsmanError):
    """Something about the API server. `status` is the HTTP status, 0 where there was no answer.

    `transient`: the same request may work later. `untouched`: the server did not begin to act on it, so that
    repeating it is safe whatever it was.
    """

    transient: ClassVar[bool] = False
    untouched: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        todo: str = "",
        status: int = 0,
        reason: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(what, where=where, todo=todo)
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class NotFound(KubeError):
    """The object does not exist."""


class KindNotServed(NotFound):
    """The kind itself does not exist here: its CustomResourceDefinition is not installed, or it comes with a
    later Kubernetes.
    """


class AlreadyExists(KubeError):
    """Something has the name already."""


class Conflict(KubeError):
    """Someone else changed the object first, or owns the fields that were to be applied.

    `managers` and `fields` are pairs by position: who owns which field (`.spec.replicas`). Both are empty
    where the conflict is over the resource version.
    """

    def __init__(
        self, what: str, *, managers: tuple[str, ...] = (), fields: tuple[str, ...] = (), **rest: Any
    ) -> None:
        super().__init__(what, **rest)
        self.managers = managers
        self.fields = fields


class Gone(KubeError):
    """The resource version or continuation is too old: list again."""


class Unauthorized(KubeError):
    """The API server does not know who we are."""


class Forbidden(KubeError):
    """We may not do this; RBAC or an admission policy says no."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One fault of an object: where it is and what is wrong there."""

    field: str
    message: str


class Invalid(KubeError):
    """The API server refuses what the object says."""

    def __init__(self, what: str, *, causes: tuple[Cause, ...] = (), **rest: Any) -> None:
        super().__init__(what, **rest)
        self.causes = causes


class TooManyRequests(KubeError):
    """The API server sheds load before it looks at a request."""

    transient = True
    untouched = True


class Unavailable(KubeError):
    """The API server failed at the request (5xx): it may have acted on it."""

    transient = True


class Unreachable(KubeError):
    """No connection was made: nothing was sent."""

    transient = True
    untouched = True


class Interrupted(KubeError):
    """The connection broke or went silent before the answer: whether it took effect is not known."""

    transient = True


class Silent(Interrupted):
    """Nothing came on a watch for so long that its connection may be dead; or nothing happened."""


class BadCredentials(KubeError):
    """There are no usable credentials."""


class LeadershipLost(KubeError):
    """Another replica may lead by now: nothing was written and nothing may be."""


_BY_STATUS: Mapping[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    429: TooManyRequests,
}
_FIELD_CONFLICT = "FieldManagerConflict"
# What can never be written is answered as if the server had failed: an apply with a field that the schema
# does not have, and what is larger than etcd takes.
_NEVER = (
    "failed to create typed patch object",
    "etcdserver: request is too large",
    "rpc error: code = ResourceExhausted desc = trying to send message larger than max",
)


_NO_RESOURCE = "the server could not find the requested resource"
"""Of a kind that is not in one of Kubernetes' own groups; of a group that is not there no Status tells."""


def from_status(
    status: Mapping[str, Any], *, code: int, where: str = "", retry_after_seconds: float | None = None
) -> KubeError:
    """The error that a `Status` object describes; `code` counts where the object does not say one."""
    code = int(status.get("code") or code)
    reason = str(status.get("reason") or "")
    details: Mapping[str, Any] = status.get("details") or {}
    causes: list[Mapping[str, Any]] = details.get("causes") or []
    message = str(status.get("message") or reason or f"answered {code}")
    if retry_after_seconds is None and details.get("retryAfterSeconds"):
        retry_after_seconds = float(details["retryAfterSeconds"])
    rest: dict[str, Any] = {
        "where": where,
        "status": code,
        "reason": reason,
        "retry_after_seconds": retry_after_seconds,
    }
    if code == 409:
        if reason == "AlreadyExists":
            return AlreadyExists(message, **rest)
        owned = [cause for cause in causes if cause.get("reason") == _FIELD_CONFLICT]
        return Conflict(
            message,
            managers=tuple(_manager(str(cause.get("message", ""))) for cause in owned),
            fields=tuple(str(cause.get("field", "")) for cause in owned),
            **rest,
        )
    if code in (400, 413, 422) or message.startswith(_NEVER):
        found = tuple(Cause(str(cause.get("field", "")), str(cause.get("message", ""))) for cause in causes)
        return Invalid(message, causes=found, **rest)
    if code >= 500:
        return Unavailable(message, **rest)
    if code == 404 and message == _NO_RESOURCE and not details.get("name"):
        return KindNotServed(message, **rest, todo="it comes with a later Kubernetes")
    return _BY_STATUS.get(code, KubeError)(message, **rest)


def _manager(message: str) -> str:
    """The name in `conflict with "kubectl" using apps/v1`; the whole message where it says it otherwise."""
    parts = message.split('"')
    return parts[1] if len(parts) > 2 else message

"""The objects as the state folder keeps them: with generation, age and status, written only when something
changed.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pointsman.api import (
    GuardrailPolicy,
    GuardrailPolicyStatus,
    ModelDeployment,
    ModelDeploymentStatus,
    ModelRoute,
    ModelRouteStatus,
)
from pointsman.api.resource import Resource
from pointsman.local.files.folder import Ident
from pointsman.local.state import (
    CLUSTER_SCOPE,
    StateFolder,
    read_json,
    to_json,
    unwritable,
    write_whole,
)

R = TypeVar("R", bound=Resource)

KINDS = ("ModelDeployment", "ModelRoute", "GuardrailPolicy")
"""What is kept. Secrets are not: their values must never be in a state file."""


class ObjectStore:
    """Remembers generations and former status over restarts."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._stated: dict[Ident, tuple[Resource, Resource]] = {}
        self._written: dict[Ident, bytes] = {}
        self._kept: dict[Ident, dict[str, Any]] = {}

    def stamp(self, resource: R, now: str) -> R:
        """The resource with its generation (raised when the spec changed) and the time of its first
        appearance.

        The same resource gives the same Python object again.
        """
        ident = (type(resource).__name__, resource.key)
        known = self._stated.get(ident)
        if known is not None and known[0] is resource and isinstance(known[1], type(resource)):
            return known[1]
        document = self._document(ident)
        metadata = document.get("metadata", {})
        generation, created = metadata.get("generation", 0), metadata.get("creationTimestamp", "")
        if not generation or document.get("spec") != resource.to_document().get("spec"):
            generation += 1
        update = {"generation": generation, "creation_timestamp": created or now}
        stamped = resource.model_copy(update={"metadata": resource.metadata.model_copy(update=update)})
        self._stated[ident] = (resource, stamped)
        self._kept[ident] = {**stamped.to_document(), "status": document.get("status", {})}
        return stamped

    def former_deployment(self, deployment: ModelDeployment) -> ModelDeploymentStatus:
        """The status that was written last, empty if there is none or an older release wrote it otherwise."""
        return _status(ModelDeploymentStatus, self._document(("ModelDeployment", deployment.key)))

    def former_route(self, route: ModelRoute) -> ModelRouteStatus:
        return _status(ModelRouteStatus, self._document(("ModelRoute", route.key)))

    def former_policy(self, policy: GuardrailPolicy) -> GuardrailPolicyStatus:
        return _status(GuardrailPolicyStatus, self._document(("GuardrailPolicy", policy.key)))

    def write(self, resource: Resource, status: dict[str, Any]) -> bool:
        """Keep an object with its status; True if it differs from what is there. Raises PointsmanError."""
        ident = (type(resource).__name__, resource.key)
        document = {**resource.to_document(), "status": status}
        content = to_json(document)
        self._kept[ident] = document
        if self._written.get(ident) == content:
            return False
        path = self._state.object_path(ident[0], ident[1].namespace, ident[1].name)
        is_there = ident not in self._written and _content(path) == content
        if not is_there:
            # What is lost with the power is worked out again. A thousand objects at a start waited seconds
            # for the disk, and everything else waited for them.
            write_whole(path, content, outlasts_power=False)
        self._written[ident] = content
        return not is_there

    def keep_only(self, idents: Iterable[Ident]) -> None:
        """Remove every other object. Raises PointsmanError."""
        kept = set(idents)
        for ident in [ident for ident in self._kept if ident not in kept]:
            self._stated.pop(ident, None)
            self._written.pop(ident, None)
            del self._kept[ident]
        names = {(kind, key.namespace or CLUSTER_SCOPE, key.name) for kind, key in kept}
        for kind in KINDS:
            for path in self._state.object_paths(kind):
                if (kind, path.parent.name, path.stem) not in names:
                    _remove(path)

    def _document(self, ident: Ident) -> dict[str, Any]:
        if ident not in self._kept:
            path = self._state.object_path(ident[0], ident[1].namespace, ident[1].name)
            return read_json(path) or {}
        return self._kept[ident]


def _content(path: Path) -> bytes | None:
    """What an earlier `up` left there: most of it is the same after a restart."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


S = TypeVar("S", ModelDeploymentStatus, ModelRouteStatus, GuardrailPolicyStatus)


def _status(model: type[S], document: dict[str, Any]) -> S:
    try:
        return model.model_validate(document.get("status", {}), extra="ignore")
    except ValueError:
        return model()

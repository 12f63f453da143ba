"""Which objects of a cluster are routed: those that hold the checks between objects, as local mode has them.

A deployment that is missing is no mistake here: objects come in any order, and a route uses the targets that
are there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.api import FleetSettings, Located, ModelDeployment, ModelRoute, ObjectKey
from pointsman.api.checks import Unread, check_objects
from pointsman.api.located import Stated
from pointsman.routing.compiler import route_deployments

_OTHERS_MAY_EXIST = Unread(anything=True)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is routed. `refused` says of each route whose newest version is not routed why."""

    deployments: Mapping[ObjectKey, ModelDeployment] = field(default_factory=dict)
    routes: Mapping[ObjectKey, ModelRoute] = field(default_factory=dict)
    refused: Mapping[ObjectKey, str] = field(default_factory=dict)
    refused_deployments: Mapping[ObjectKey, str] = field(default_factory=dict)


class RouteAdmission:
    """Asked again and again, it looks only at what changed."""

    def __init__(self, fleet: FleetSettings) -> None:
        self._fleet = Located(fleet)
        self._judged: dict[tuple[str, ObjectKey], tuple[tuple[Stated, ...], str]] = {}
        self._fresh: dict[tuple[str, ObjectKey], tuple[tuple[Stated, ...], str]] = {}
        self._last: dict[ObjectKey, ModelRoute] = {}

    def admit(
        self, deployments: Mapping[ObjectKey, ModelDeployment], routes: Mapping[ObjectKey, ModelRoute]
    ) -> Admitted:
        """A route with a mistake stays as it was admitted last if that is right; else it is not routed.

        A model of our own is always admitted: what serves goes on while its newest spec has a mistake.
        """
        self._fresh = {}
        wrong = {
            key: why
            for key, one in deployments.items()
            if one.spec.hosted is not None and (why := self._wrong_with_hosted(one))
        }
        usable = {key: one for key, one in deployments.items() if key not in wrong}
        refused: dict[ObjectKey, str] = {}
        admitted: dict[ObjectKey, ModelRoute] = {}
        for key, route in routes.items():
            why = self._wrong_with_route("newest", route, deployments)
            if not why:
                admitted[key] = route
                continue
            refused[key] = why
            former = self._last.get(key)
            if (
                former is not None
                and former is not route
                and former.metadata.uid == route.metadata.uid
                and not self._wrong_with_route("former", former, deployments)
            ):
                admitted[key] = former
        self._judged, self._last = self._fresh, admitted
        return Admitted(usable, admitted, refused, wrong)

    def _wrong_with_hosted(self, deployment: ModelDeployment) -> str:
        return self._judge("hosted", deployment.key, (deployment,), "spec.hosted")

    def _wrong_with_route(
        self, version: str, route: ModelRoute, deployments: Mapping[ObjectKey, ModelDeployment]
    ) -> str:
        named = [deployments[key] for key in route_deployments(route) if key in deployments]
        return self._judge(version, route.key, (route, *named), "")

    def _judge(self, what: str, key: ObjectKey, objects: tuple[Stated, ...], below: str) -> str:
        """What is wrong with the first object at or below a path, in one line; "" if nothing is."""
        last = self._judged.get((what, key))
        if (
            last is None
            or len(last[0]) != len(objects)
            or any(a is not b for a, b in zip(last[0], objects, strict=True))
        ):
            last = objects, self._mistake(objects, below)
        self._fresh[what, key] = last
        return last[1]

    def _mistake(self, objects: tuple[Stated, ...], below: str) -> str:
        located = [Located(one) for one in objects]
        kind = type(objects[0]).__name__
        for found in check_objects([*located, self._fleet], "cluster", unread=_OTHERS_MAY_EXIST):
            if found.is_error and found.kind == kind and found.path.startswith(below):
                return f"{found.path}: {found.what}; {found.todo}"
        return ""

"""All routes and deployments together: who has which name, who names whom, and what of it is right. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pointsman.api import FleetSettings, ModelRoute, ObjectKey
from pointsman.api.checks.claims import NameClaims, without_claims
from pointsman.controller.modelroute.snapshot import Lost
from pointsman.kube.objects import KubeObject, key_of, labels_of
from pointsman.routing.admitted import Admitted, RouteAdmission
from pointsman.routing.claims import claimed_names
from pointsman.routing.compiler import absent_adapters, route_deployments
from pointsman.routing.known import known_deployments, known_routes


class RouteBook:
    """Hears of every object once; what is asked of it is worked out when it is asked."""

    def __init__(self, fleet: FleetSettings) -> None:
        self._deployments = known_deployments()
        self._routes = known_routes()
        self._labels: dict[str, Mapping[str, str]] = {}
        self._name_claims = NameClaims(fleet)
        self._unclaimable: Mapping[ObjectKey, str] = {}
        self._admission = RouteAdmission(without_claims(fleet))
        self._admitted = Admitted()
        self._claims: dict[str, ModelRoute] = {}
        self._is_stale = False
        self._naming: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._with_name: dict[str, set[ObjectKey]] = defaultdict(set)

    def saw_route(self, obj: KubeObject, gone: bool) -> frozenset[ObjectKey]:
        """Gives the other routes that this one may have changed: those that want a name of its."""
        key = key_of(obj)
        former = self._routes.objects.get(key)
        if gone:
            self._routes.drop(key)
        elif not self._routes.take(obj):
            return frozenset()
        self._is_stale = True
        current = self._routes.objects.get(key)
        concerned = self._sharing(former) | self._sharing(current)
        self._index(former, is_there=False)
        self._index(current, is_there=True)
        return frozenset(concerned - {key})

    def saw_deployment(self, obj: KubeObject, gone: bool) -> frozenset[ObjectKey]:
        """Gives the routes that name it."""
        key = key_of(obj)
        if gone:
            self._deployments.drop(key)
            self._is_stale = True
        elif self._deployments.take(obj):
            self._is_stale = True
        return frozenset(self._naming.get(key, ()))

    @property
    def ask_for_namespaces(self) -> bool:
        """Whether the labels of namespaces say which names a route may have."""
        return self._name_claims.ask_for_labels

    def saw_namespace(self, name: str, obj: KubeObject | None) -> frozenset[ObjectKey]:
        """Gives the routes that may have other names than before, and those that want the same names. None
        for a namespace that is gone.
        """
        former = self._labels.pop(name, {})
        if obj is not None:
            self._labels[name] = labels_of(obj)
        if former == self._labels.get(name, {}):
            return frozenset()
        self._is_stale = True
        of_it = [route for key, route in self._routes.objects.items() if key.namespace == name]
        return frozenset(key for route in of_it for key in self._sharing(route))

    def refusal(self, route: ObjectKey) -> str:
        """What is wrong with its newest version, "" if nothing is."""
        self._refresh()
        return self._unclaimable.get(route, "") or self._admitted.refused.get(route, "")

    def unusable(self, deployment: ObjectKey) -> str:
        """Why no route may use a deployment, "" if they may."""
        self._refresh()
        return self._admitted.refused_deployments.get(deployment, "")

    def absent_adapters(self, route: ModelRoute) -> dict[str, str]:
        """Which of its targets have an adapter that their deployment does not list, and the reason."""
        return absent_adapters(route, self._deployments.objects)

    def lost(self, route: ModelRoute) -> Lost | None:
        """The first of its names that another route has."""
        self._refresh()
        for name in route.spec.models:
            holder = self._claims.get(name)
            if holder is not None and holder.key != route.key:
                return Lost(name, holder.key)
        return None

    def _refresh(self) -> None:
        if self._is_stale:
            self._is_stale = False
            allowed, self._unclaimable = self._name_claims.allowed(self._routes.objects, self._labels)
            self._admitted = self._admission.admit(self._deployments.objects, allowed)
            self._claims = claimed_names(self._admitted.routes.values())

    def _sharing(self, route: ModelRoute | None) -> set[ObjectKey]:
        names: Iterable[str] = () if route is None else route.spec.models
        return {key for name in names for key in self._with_name.get(name, ())}

    def _index(self, route: ModelRoute | None, *, is_there: bool) -> None:
        if route is None:
            return
        for name in route.spec.models:
            _enter(self._with_name, name, route.key, is_there=is_there)
        for deployment in route_deployments(route):
            _enter(self._naming, deployment, route.key, is_there=is_there)


P = TypeVar("P")


def _enter(index: dict[P, set[ObjectKey]], place: P, route: ObjectKey, *, is_there: bool) -> None:
    if is_there:
        index[place].add(route)
        return
    index[place].discard(route)
    if not index[place]:
        del index[place]

"""Which version of each route may have its names, as routes and the labels of namespaces change."""

from collections.abc import Iterable, Mapping

from pointsman.api.checks.modelnames import fits, unclaimable
from pointsman.api.fleet import FleetSettings, NameClaim
from pointsman.api.meta import NAMESPACE_NAME_LABEL, ObjectKey
from pointsman.api.modelroute import ModelRoute

Labels = Mapping[str, str]


class NameClaims:
    """Asked again and again. A route whose edit names what its namespace may not have stays as it was last,
    if that is right; else it is not among those that are allowed.
    """

    def __init__(self, fleet: FleetSettings) -> None:
        self._claims = fleet.gateway.names
        self._last: dict[ObjectKey, ModelRoute] = {}

    @property
    def ask_for_labels(self) -> bool:
        """Whether any claim chooses namespaces by more than their names."""
        return any(_asked_labels(claim) - {NAMESPACE_NAME_LABEL} for claim in self._claims)

    def allowed(
        self, routes: Mapping[ObjectKey, ModelRoute], labels: Mapping[str, Labels]
    ) -> tuple[Mapping[ObjectKey, ModelRoute], Mapping[ObjectKey, str]]:
        """The routes in a version that may have its names, and why the newest of the others may not."""
        if not self._claims:
            return routes, {}
        patterns = {
            namespace: self._patterns({NAMESPACE_NAME_LABEL: namespace, **labels.get(namespace, {})})
            for namespace in {key.namespace for key in routes}
        }
        allowed: dict[ObjectKey, ModelRoute] = {}
        refused: dict[ObjectKey, str] = {}
        for key, route in routes.items():
            may_have = patterns[key.namespace]
            why = _mistake(route, may_have)
            former = self._last.get(key)
            if not why:
                allowed[key] = route
                continue
            refused[key] = why
            is_same = former is not None and former.metadata.uid == route.metadata.uid
            if former is not None and is_same and not _mistake(former, may_have):
                allowed[key] = former
        self._last = allowed
        return allowed, refused

    def _patterns(self, labels: Labels) -> tuple[str, ...]:
        chosen = (claim for claim in self._claims if claim.namespace_selector.matches(labels))
        return tuple(pattern for claim in chosen for pattern in claim.models)


def without_claims(fleet: FleetSettings) -> FleetSettings:
    """The settings for checks that know of no labels: there, any namespace may claim any name."""
    return fleet.model_copy(update={"gateway": fleet.gateway.model_copy(update={"names": ()})})


def _asked_labels(claim: NameClaim) -> set[str]:
    selector = claim.namespace_selector
    return {*selector.match_labels, *(term.key for term in selector.match_expressions)}


def _mistake(route: ModelRoute, patterns: Iterable[str]) -> str:
    for index, name in enumerate(route.spec.models):
        if not any(fits(name, pattern) for pattern in patterns):
            what, todo = unclaimable(name, route.metadata.namespace)
            return f"spec.models[{index}]: {what}; {todo}"
    return ""

"""The whole walk: a routing input -> every Envoy resource, compiling again only what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pointsman.api import Answering, ModelDeployment, ModelRoute, ObjectKey, target_label
from pointsman.routing.authentication import Admission, LabelledSecrets, admission, anyone_of
from pointsman.routing.chain import rule_targets, usable_uses
from pointsman.routing.claims import claimed_names
from pointsman.routing.clusters import target_cluster
from pointsman.routing.credentials import TargetSecrets, referenced_secrets, target_secrets
from pointsman.routing.endpoints import load_assignment
from pointsman.routing.inputs import Endpoint, RoutingInput
from pointsman.routing.listeners import listeners
from pointsman.routing.model_list import model_list, models_scope
from pointsman.routing.names import endpoints_name
from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET, Resource, ResourceSet
from pointsman.routing.scopes import error_scopes, route_scopes
from pointsman.routing.settings import ProxySettings
from pointsman.routing.targets import NO_ADAPTER, ClusterUse, can_answer_as

_Owners = dict[tuple[ObjectKey, ClusterUse], set[ObjectKey]]


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a route cannot use one of its targets."""

    deployment: ObjectKey
    reason: str
    adapter: str = ""

    @property
    def label(self) -> str:
        """The target in one word, as the route's status has it."""
        return target_label(self.deployment.name, self.adapter)


class Compiler:
    """Compiles inputs one after another and remembers the parts of the last one.

    What it remembers changes no result, only the work: compiling an input anew gives the same bytes.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._fixed = listeners(settings), error_scopes(settings)
        self._memory: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}
        self._fresh: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}
        self._assignments: dict[ObjectKey, tuple[tuple[tuple[Endpoint, ...], bool], Resource]] = {}
        self._resting: frozenset[ObjectKey] = frozenset()
        self._last: tuple[RoutingInput, ResourceSet] | None = None

    def compile(self, given: RoutingInput) -> ResourceSet:
        """Every resource of a gateway with this input."""
        last, self._last = self._last, None
        resting, self._resting = self._resting, _resting(given)
        if last is None or resting != self._resting or _differs(last[0], given):
            made = self._whole(given)
        else:
            made = self._moved(last[1], given)
        self._last = given, made
        return made

    def _moved(self, last: Mapping[str, Mapping[str, Resource]], given: RoutingInput) -> ResourceSet:
        """Only replicas came or went, which is what happens most."""
        assignments = {
            name: self._endpoints(deployment, given)
            for key, deployment in given.deployments.items()
            if (name := endpoints_name(key)) in last[ENDPOINTS]
        }
        return {**last, ENDPOINTS: assignments}

    def _whole(self, given: RoutingInput) -> ResourceSet:
        self._fresh = {}
        claims = claimed_names(given.routes.values())
        names: dict[ObjectKey, list[str]] = {}
        for name, route in claims.items():
            names.setdefault(route.key, []).append(name)
        labelled = LabelledSecrets(given.secrets.values())
        admissions = {key: self._admission(given.routes[key], labelled) for key in names}
        owners = _owners(given, names)
        secrets = self._secrets(given, owners)
        usable = {
            key: deployment for key, deployment in given.deployments.items() if not secrets[key].missing
        }
        made: dict[str, dict[str, Resource]] = {
            SECRET: {},
            CLUSTER: {},
            ENDPOINTS: {},
            LISTENER: {},
            SCOPE: {},
        }

        def add(resource: Resource) -> None:
            made[resource.type_url][resource.name] = resource

        # Of every target: Envoy asks for what it needs, also for a route that it holds in an earlier form.
        for key, deployment in sorted(usable.items()):
            found = secrets[key]
            for secret in (found.key, found.authorities):
                if secret is not None:
                    # Several targets may share a key: each route of theirs is concerned.
                    shared = made[SECRET].get(secret.name, secret)
                    add(replace(secret, owners=secret.owners | shared.owners))
            if deployment.spec.hosted is None:
                add(self._endpoints(deployment, given))
        for (key, use), routes in sorted(owners.items(), key=lambda item: (item[0][0], item[0][1].suffix())):
            if key in usable:
                add(self._cluster(usable[key], use, secrets[key], frozenset(routes)))
        for listener in self._fixed[0]:
            add(listener)
        for scope in self._fixed[1]:
            add(scope)
        for key in sorted(names):
            for scope in self._scopes(given.routes[key], names[key], usable, admissions[key]):
                add(scope)
        stated = [one for key in sorted(names) if (one := admissions[key]) is not None]
        add(self._models(claims, anyone_of(stated)))
        self._memory = self._fresh
        self._assignments = {key: kept for key, kept in self._assignments.items() if key in given.deployments}
        return made

    def _remembered(self, key: tuple[Any, ...], inputs: tuple[Any, ...], make: Any) -> Any:
        last = self._memory.get(key)
        if last is not None and len(last[0]) == len(inputs) and all(map(_same, last[0], inputs)):
            self._fresh[key] = last
            return last[1]
        value = make()
        self._fresh[key] = (inputs, value)
        return value

    def _secrets(self, given: RoutingInput, owners: _Owners) -> dict[ObjectKey, TargetSecrets]:
        routes_of: dict[ObjectKey, frozenset[ObjectKey]] = {}
        for (key, _), routes in owners.items():
            routes_of[key] = routes_of.get(key, frozenset()) | routes
        return {
            key: self._target_secrets(deployment, given, routes_of.get(key, frozenset()))
            for key, deployment in given.deployments.items()
        }

    def _target_secrets(
        self, deployment: ModelDeployment, given: RoutingInput, owners: frozenset[ObjectKey]
    ) -> TargetSecrets:
        if deployment.spec.hosted is None:
            return TargetSecrets()
        made: TargetSecrets = self._remembered(
            ("secrets", deployment.key),
            (deployment.spec.hosted, owners, referenced_secrets(deployment, given)),
            lambda: target_secrets(deployment, given, owners),
        )
        return made

    def _admission(self, route: ModelRoute, labelled: LabelledSecrets) -> Admission | None:
        clients, secrets = labelled.of_clients(route)
        if not clients:
            return admission(route, ())
        made: Admission | None = self._remembered(
            ("admission", *clients), (secrets,), lambda: admission(route, secrets)
        )
        return made

    def _endpoints(self, deployment: ModelDeployment, given: RoutingInput) -> Resource:
        key = deployment.key
        replicas, rests = given.endpoints.get(key, ()), key in self._resting
        last = self._assignments.get(key)
        if last is not None and last[0] == (replicas, rests):
            return last[1]
        made = load_assignment(endpoints_name(key), replicas, self._settings, may_rest=rests)
        self._assignments[key] = (replicas, rests), made
        return made

    def _cluster(
        self,
        deployment: ModelDeployment,
        use: ClusterUse,
        secrets: TargetSecrets,
        owners: frozenset[ObjectKey],
    ) -> Resource:
        made: Resource = self._remembered(
            ("cluster", deployment.key, use),
            (deployment.spec, secrets, owners),
            lambda: target_cluster(deployment, use, secrets, self._settings, owners),
        )
        return made

    def _scopes(
        self,
        route: ModelRoute,
        names: list[str],
        usable: Mapping[ObjectKey, ModelDeployment],
        who: Admission | None,
    ) -> list[Resource]:
        concerned = {key: usable[key] for key in route_deployments(route) if key in usable}
        made: list[Resource] = self._remembered(
            ("scopes", route.key),
            (
                route.spec,
                names,
                who,
                tuple(
                    (k, d.spec.replicas, d.adapter_names, d.may_rest, k in self._resting)
                    for k, d in concerned.items()
                ),
            ),
            lambda: route_scopes(route, names, concerned, who, self._settings, self._resting),
        )
        return made

    def _models(self, claims: Mapping[str, ModelRoute], who: Admission) -> Resource:
        listed = tuple(
            (name, route.key, route.metadata.creation_timestamp) for name, route in sorted(claims.items())
        )
        # Apart from the clients: a changed key of one would write the list of all models anew.
        models = self._remembered(("list",), (listed,), lambda: model_list(claims))
        made: Resource = self._remembered(("models",), (listed, who), lambda: models_scope(models, who))
        return made


def unusable_targets(route: ModelRoute, given: RoutingInput) -> list[Unusable]:
    """The targets that a route names and cannot use, with the reason."""
    found = []
    for key, adapter in _targets(route):
        deployment = given.deployments.get(key)
        if deployment is None:
            found.append(Unusable(key, f"ModelDeployment {key} does not exist", adapter))
        elif not can_answer_as(deployment, adapter):
            found.append(Unusable(key, NO_ADAPTER, adapter))
        elif missing := target_secrets(deployment, given, frozenset()).missing:
            found.append(Unusable(key, missing, adapter))
    return found


def absent_adapters(route: ModelRoute, deployments: Mapping[ObjectKey, ModelDeployment]) -> dict[str, str]:
    """The targets whose deployment is there and does not list their adapter, by label."""
    return {
        target_label(key.name, adapter): NO_ADAPTER
        for key, adapter in _targets(route)
        if key in deployments and not can_answer_as(deployments[key], adapter)
    }


def route_deployments(route: ModelRoute) -> tuple[ObjectKey, ...]:
    """Every deployment that a route names, each once."""
    return tuple(dict.fromkeys(key for key, _ in _targets(route)))


def _targets(route: ModelRoute) -> tuple[tuple[ObjectKey, str], ...]:
    """Every deployment with the adapter that is asked of it, each pair once."""
    named: list[Answering] = [target for rule in route.spec.rules for target in rule_targets(rule)]
    if route.spec.mirror is not None:
        named.append(route.spec.mirror)
    namespace = route.metadata.namespace
    return tuple(dict.fromkeys((ObjectKey(namespace, one.deployment), one.adapter or "") for one in named))


def _resting(given: RoutingInput) -> frozenset[ObjectKey]:
    """The deployments for which requests are held: no replica of theirs can answer, and one is to come."""
    return frozenset(
        key for key, one in given.deployments.items() if one.may_rest and not given.endpoints.get(key)
    )


def _owners(given: RoutingInput, names: Mapping[ObjectKey, list[str]]) -> _Owners:
    """Which routes use which cluster. A route without a name of its own needs none."""
    owners: _Owners = {}
    for key in names:
        for deployment, use in usable_uses(given.routes[key], given.deployments):
            owners.setdefault((deployment, use), set()).add(key)
    return owners


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)


def _differs(last: RoutingInput, given: RoutingInput) -> bool:
    """Whether anything but replicas changed. Objects are compared by identity, which costs nothing."""
    pairs: tuple[tuple[Mapping[ObjectKey, Any], Mapping[ObjectKey, Any]], ...] = (
        (last.deployments, given.deployments),
        (last.routes, given.routes),
        (last.secrets, given.secrets),
    )
    return last.fleet is not given.fleet or any(
        len(one) != len(other) or any(other.get(key) is not value for key, value in one.items())
        for one, other in pairs
        if one is not other
    )

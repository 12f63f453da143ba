"""What watches tell, as the input of a gateway; and what of it this gateway may not or cannot use. Pure.

Unchanged objects stay the same Python objects, so that nothing of them is compiled again.
"""

from collections.abc import Collection, Mapping

from pointsman.api import FleetSettings, ModelDeployment, ModelRoute, ObjectKey, Secret
from pointsman.api.checks.claims import NameClaims, without_claims
from pointsman.gateway.cluster.endpoints import ReadyEndpoints
from pointsman.kube.objects import (
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    NAMESPACE,
    SECRET,
    Kind,
    KubeObject,
    key_of,
    labels_of,
)
from pointsman.routing import RouteProgramming, RoutingInput
from pointsman.routing.admitted import Admitted, RouteAdmission
from pointsman.routing.compiler import unusable_targets
from pointsman.routing.known import KnownObjects, known_deployments, known_routes, known_secrets


class ClusterInputs:
    """Everything that was heard. `given` is the newest input, the same object while nothing changes."""

    def __init__(
        self, fleet: FleetSettings, secret_namespaces: Collection[str], endpoints: ReadyEndpoints
    ) -> None:
        self._fleet = fleet
        self._secret_namespaces = frozenset(secret_namespaces)
        self._endpoints = endpoints
        self._deployments = known_deployments()
        self._routes = known_routes()
        self._secrets = known_secrets()
        self._labels: dict[str, Mapping[str, str]] = {}
        self._claims = NameClaims(fleet)
        self._unclaimable: Mapping[ObjectKey, str] = {}
        self._admission = RouteAdmission(without_claims(fleet))
        self._admitted = Admitted()
        self._is_stale = True
        self.given = RoutingInput(fleet=fleet)
        self.revision = 0
        """Of what is given and what is refused, replicas and Secrets apart."""

    def hear(self, kind: Kind, before: KubeObject | None, now: KubeObject | None) -> bool:
        """An object came, changed or went; gives whether that may change what is served."""
        if kind == NAMESPACE:
            return self._hear_namespace(before, now)
        if kind not in _KNOWN:
            return self._endpoints.hear(before, now)
        if kind == SECRET and not self._may_read(now if now is not None else before or {}):
            return False
        known = self._known(kind)
        if now is not None:
            changed = known.take(now)
        else:
            known.drop(key_of(before or {}))
            changed = True
        if changed and kind != SECRET:
            self._is_stale = True
        return changed

    def refresh(self) -> RoutingInput:
        """Take in what was heard since."""
        if self._is_stale:
            allowed, self._unclaimable = self._claims.allowed(self._routes.objects, self._labels)
            self._admitted = self._admission.admit(self._deployments.objects, allowed)
            self._is_stale = False
            self.revision += 1
        # Objects of one version are the same; the compiler compares what is in the mappings.
        self.given = RoutingInput(
            deployments=self._admitted.deployments,
            routes=self._admitted.routes,
            endpoints=self._endpoints.by_deployment,
            secrets=self._secrets.objects,
            fleet=self._fleet,
        )
        return self.given

    def told(self, programming: Mapping[ObjectKey, RouteProgramming]) -> dict[ObjectKey, RouteProgramming]:
        """What is to be said of each route: by Envoy, and by what of it was not given to Envoy."""
        said = {}
        for key, one in programming.items():
            route = self.given.routes.get(key)
            said[key] = one if route is None else self._with_what_is_unusable(route, one)
        for key, why in {**self._admitted.refused, **self._unclaimable}.items():
            newest = self._routes.objects.get(key)
            if newest is not None:
                said[key] = _refused(why, newest.metadata.generation)
        for key, unreadable in self._routes.unreadable.items():
            said[key] = _refused(unreadable.why, unreadable.generation)
        return said

    def _with_what_is_unusable(self, route: ModelRoute, said: RouteProgramming) -> RouteProgramming:
        namespace = route.metadata.namespace
        found = {}
        for one in unusable_targets(route, self.given):
            name = one.label
            if one.deployment in self._admitted.refused_deployments:
                found[name] = self._admitted.refused_deployments[one.deployment]
            elif one.deployment in self.given.deployments:
                deployment = self.given.deployments[one.deployment]
                may_read = one.adapter or self._is_opted_in(namespace)
                found[name] = one.reason if may_read else _closed(deployment, namespace)
        unresolved = ""
        authentication = route.spec.authentication
        if (
            authentication is not None
            and authentication.api_keys is not None
            and not self._is_opted_in(namespace)
        ):
            unresolved = (
                f"gateways do not read Secrets of namespace {namespace}, so nobody may call this route; "
                "add it to the chart's secretNamespaces"
            )
        if not found and not unresolved:
            return said
        return RouteProgramming(
            said.accepted,
            said.programmed,
            said.reason,
            said.message,
            said.generation,
            tuple(sorted(found.items())),
            unresolved,
        )

    @property
    def ask_for_namespaces(self) -> bool:
        """Whether what is served hangs on the labels of namespaces."""
        return self._claims.ask_for_labels

    def _hear_namespace(self, before: KubeObject | None, now: KubeObject | None) -> bool:
        name = key_of(now if now is not None else before or {}).name
        former = self._labels.pop(name, None)
        if now is not None:
            self._labels[name] = labels_of(now)
        if former == self._labels.get(name):
            return False
        self._is_stale = True
        return True

    def _known(
        self, kind: Kind
    ) -> KnownObjects[ModelDeployment] | KnownObjects[ModelRoute] | KnownObjects[Secret]:
        if kind == MODEL_DEPLOYMENT:
            return self._deployments
        return self._routes if kind == MODEL_ROUTE else self._secrets

    def _may_read(self, obj: KubeObject) -> bool:
        return self._is_opted_in(key_of(obj).namespace)

    def _is_opted_in(self, namespace: str) -> bool:
        return namespace in self._secret_namespaces


_KNOWN = frozenset({MODEL_DEPLOYMENT, MODEL_ROUTE, SECRET})


def _refused(why: str, generation: int) -> RouteProgramming:
    return RouteProgramming(False, False, "InvalidSpec", why, generation)


def _closed(deployment: ModelDeployment, namespace: str) -> str:
    hosted = deployment.spec.hosted
    reference = (hosted.credentials or hosted.ca_certificates) if hosted is not None else None
    name = reference.secret_ref.name if reference is not None else ""
    return (
        f"Secret {namespace}/{name} is not used: gateways do not read Secrets of namespace {namespace}; "
        "add it to the chart's secretNamespaces"
    )

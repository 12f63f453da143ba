"""Everything that is checked together, found by key; and what is known to be missing from the picture."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pointsman.api.fleet import FleetSettings
from pointsman.api.located import Located, Stated
from pointsman.api.meta import NAMESPACE_NAME_LABEL, LabelSelector, ObjectKey
from pointsman.api.misspelling import KnownWords
from pointsman.api.modeldeployment import ModelDeployment
from pointsman.api.modelroute import ModelRoute
from pointsman.api.nodes import Path
from pointsman.api.routerule import Answering
from pointsman.api.secret import Secret
from pointsman.api.support import Mode


@dataclass(frozen=True)
class Unread:
    """What the objects may refer to although it is not among them."""

    objects: Collection[tuple[str, ObjectKey]] = frozenset()
    """Kind and key of objects that were given but are wrong: no second finding because they are not here."""
    anything: bool = False
    """Some text could not be read at all: whatever seems to be missing may stand there."""


class ObjectNames:
    """The names of one kind's objects, by namespace and the other way."""

    def __init__(self, keys: Iterable[ObjectKey]) -> None:
        names: dict[str, list[str]] = {}
        self._namespaces: dict[str, list[str]] = {}
        for key in sorted(keys):
            names.setdefault(key.namespace, []).append(key.name)
            self._namespaces.setdefault(key.name, []).append(key.namespace)
        self._names = {namespace: KnownWords(known) for namespace, known in names.items()}

    def nearest(self, key: ObjectKey) -> str | None:
        """The name in the key's namespace that was most likely meant."""
        known = self._names.get(key.namespace)
        return known.nearest(key.name) if known is not None else None

    def namespaces_of(self, name: str) -> Sequence[str]:
        return self._namespaces.get(name, [])


@dataclass(frozen=True)
class Inventory:
    """The first object of each key; `mode` and namespace labels decide what is allowed."""

    deployments: Mapping[ObjectKey, Located[ModelDeployment]]
    routes: Mapping[ObjectKey, Located[ModelRoute]]
    secrets: Mapping[ObjectKey, Located[Secret]]
    fleet: FleetSettings
    mode: Mode = "any"
    unread: Unread = field(default_factory=Unread)
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def deployment_names(self) -> ObjectNames:
        return ObjectNames(self.deployments)

    @cached_property
    def secret_names(self) -> ObjectNames:
        return ObjectNames(self.secrets)

    @cached_property
    def _secrets_by_label(self) -> Mapping[tuple[str, ...], Sequence[Secret]]:
        """Those of a namespace, and those of a namespace with a label: (namespace[, key, value])."""
        found: dict[tuple[str, ...], list[Secret]] = {}
        for key, located in self.secrets.items():
            found.setdefault((key.namespace,), []).append(located.resource)
            for label in located.resource.metadata.labels.items():
                found.setdefault((key.namespace, *label), []).append(located.resource)
        return found

    def has_secret(self, namespace: str, selector: LabelSelector) -> bool:
        """Whether the selector chooses any Secret of a namespace."""
        asked = [(namespace,), *((namespace, *label) for label in selector.match_labels.items())]
        fewest = min((self._secrets_by_label.get(one, ()) for one in asked), key=len)
        return any(selector.matches(secret.metadata.labels) for secret in fewest)

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        return {NAMESPACE_NAME_LABEL: namespace, **self.namespace_labels.get(namespace, {})}

    def may_exist(self, kind: str, key: ObjectKey) -> bool:
        """Whether an object that is not here may still be there."""
        return self.unread.anything or (kind, key) in self.unread.objects


def take_inventory(
    objects: Iterable[Located[Stated]],
    mode: Mode,
    unread: Unread,
    namespace_labels: Mapping[str, Mapping[str, str]],
) -> Inventory:
    deployments: dict[ObjectKey, Located[ModelDeployment]] = {}
    routes: dict[ObjectKey, Located[ModelRoute]] = {}
    secrets: dict[ObjectKey, Located[Secret]] = {}
    fleets: list[FleetSettings] = []
    for located in objects:
        match located.resource:
            case ModelDeployment() as deployment:
                deployments.setdefault(deployment.key, Located(deployment, located.file, located.document))
            case ModelRoute() as route:
                routes.setdefault(route.key, Located(route, located.file, located.document))
            case Secret() as secret:
                secrets.setdefault(secret.key, Located(secret, located.file, located.document))
            case FleetSettings() as fleet:
                fleets.append(fleet)
    return Inventory(
        deployments, routes, secrets, fleets[0] if fleets else FleetSettings(), mode, unread, namespace_labels
    )


@dataclass(frozen=True)
class Use:
    """A deployment that a route names, and where."""

    path: Path
    key: ObjectKey
    what: str
    """target, fallback or mirror"""
    adapter: str = ""


def uses(route: ModelRoute) -> list[Use]:
    """Every deployment that a route sends requests to, in the order of its file."""
    namespace = route.metadata.namespace
    found: list[Use] = []
    for index, rule in enumerate(route.spec.rules):
        at: Path = ("spec", "rules", index)
        for place, target in enumerate(rule.targets):
            found.append(_use((*at, "targets", place), namespace, target, "target"))
        for place, fallback in enumerate(rule.fallback.targets if rule.fallback is not None else ()):
            found.append(_use((*at, "fallback", "targets", place), namespace, fallback, "fallback"))
    if route.spec.mirror is not None:
        found.append(_use(("spec", "mirror"), namespace, route.spec.mirror, "mirror"))
    return found


def _use(path: Path, namespace: str, named: Answering, what: str) -> Use:
    return Use(path, ObjectKey(namespace, named.deployment), what, named.adapter or "")

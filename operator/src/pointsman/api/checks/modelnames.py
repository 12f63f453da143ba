"""Who owns a public model name."""

from collections.abc import Iterable, Iterator

from pointsman.api.checks.inventory import Inventory
from pointsman.api.findings import Finding
from pointsman.api.meta import ObjectKey
from pointsman.api.modelroute import ModelRoute

# Sorts after every timestamp: an object that has none yet is the youngest.
_NOT_CREATED = "~"


def name_owners(routes: Iterable[ModelRoute]) -> dict[str, ObjectKey]:
    """Model name -> the route that owns it: the oldest by creationTimestamp, else the first given."""
    oldest_first = sorted(routes, key=lambda route: route.metadata.creation_timestamp or _NOT_CREATED)
    owners: dict[str, ObjectKey] = {}
    for route in oldest_first:
        for name in route.spec.models:
            owners.setdefault(name, route.key)
    return owners


def may_claim(name: str, namespace: str, inventory: Inventory) -> bool:
    """Whether the fleet settings let this namespace claim the name; without such settings any may."""
    claims = inventory.fleet.gateway.names
    labels = inventory.labels_of(namespace)
    return not claims or any(
        claim.namespace_selector.matches(labels) and any(fits(name, pattern) for pattern in claim.models)
        for claim in claims
    )


def contested_names(inventory: Inventory) -> Iterator[Finding]:
    owners = name_owners(located.resource for located in inventory.routes.values())
    for key, route in inventory.routes.items():
        for index, name in enumerate(route.resource.spec.models):
            path = ("spec", "models", index)
            if not may_claim(name, key.namespace, inventory):
                yield route.finding(path, *unclaimable(name, key.namespace))
            elif owners[name] != key:
                owner = inventory.routes[owners[name]]
                place = f" ({owner.file}:{owner.line(('spec', 'models'))})" if owner.file else ""
                what = f'"{name}" belongs to ModelRoute {owners[name]}{place}'
                yield route.finding(path, what, "choose another name, or remove it there")


def unclaimable(name: str, namespace: str) -> tuple[str, str]:
    """What is wrong with a claim that the fleet settings do not allow, and what to do."""
    what = f'namespace {namespace} may not claim "{name}"'
    return what, "choose another name, or add it to gateway.names of the fleet settings"


def fits(name: str, pattern: str) -> bool:
    """Whether a pattern of the fleet settings allows a name."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern

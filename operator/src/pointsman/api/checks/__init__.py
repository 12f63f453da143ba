"""What must hold between objects: pure functions over all of them, for validate, local mode and operator."""

from collections.abc import Iterator, Mapping, Sequence

from pointsman.api.checks.credentials import absent_api_keys, unusable_credentials
from pointsman.api.checks.duplicates import given_twice
from pointsman.api.checks.hosts import host_of, is_allowed, is_loopback, is_private, unreachable_hosts
from pointsman.api.checks.inventory import Inventory, Unread, Use, take_inventory, uses
from pointsman.api.checks.modelnames import contested_names, may_claim, name_owners
from pointsman.api.checks.rules import surprising_rules
from pointsman.api.checks.scaling import surprising_scaling
from pointsman.api.checks.targets import unusable_targets
from pointsman.api.findings import Finding, in_order
from pointsman.api.located import Located, Stated
from pointsman.api.support import Mode, unsupported

__all__ = [
    "Inventory",
    "Mode",
    "Unread",
    "Use",
    "check_objects",
    "host_of",
    "is_allowed",
    "is_loopback",
    "is_private",
    "may_claim",
    "name_owners",
    "unsupported",
    "uses",
]

_NOTHING_UNREAD = Unread()


def check_objects(
    objects: Sequence[Located[Stated]],
    mode: Mode = "any",
    *,
    unread: Unread = _NOTHING_UNREAD,
    namespace_labels: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Finding]:
    """What is not supported in this mode, and what does not fit together, in order.

    `namespace_labels` are labels of namespaces (in a cluster) beside kubernetes.io/metadata.name.
    """
    inventory = take_inventory(objects, mode, unread, namespace_labels or {})
    findings = [finding for located in objects for finding in unsupported(located, mode)]
    findings.extend(given_twice(objects))
    findings.extend(_across(inventory))
    return in_order(findings)


def _across(inventory: Inventory) -> Iterator[Finding]:
    for deployment in inventory.deployments.values():
        yield from unreachable_hosts(deployment, inventory)
        yield from unusable_credentials(deployment, inventory)
        yield from surprising_scaling(deployment)
    for route in inventory.routes.values():
        yield from unusable_targets(route, inventory)
        yield from surprising_rules(route)
        yield from absent_api_keys(route, inventory)
    yield from contested_names(inventory)

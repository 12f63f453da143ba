"""What is said of one ModelRoute. Pure: the same snapshot gives the same plan, a status alone."""

from collections.abc import Sequence

from pointsman.api import ModelRoute, ModelRouteStatus
from pointsman.controller.modelroute.snapshot import RouteSnapshot
from pointsman.controller.plan import Announcement, Plan
from pointsman.routing import RouteProgramming
from pointsman.routing.route_status import NO_GATEWAY, route_status


def decide(snapshot: RouteSnapshot) -> Plan:
    """What follows from the snapshot."""
    route = snapshot.route
    if route.metadata.deletion_timestamp:
        return Plan()
    status = route_status(
        route,
        _programming(snapshot),
        snapshot.unready,
        None,
        route.status,
        url=snapshot.url,
        now=snapshot.now,
    )
    return Plan(
        status={
            "apiVersion": route.api_version,
            "kind": route.kind,
            "metadata": {"name": route.metadata.name, "namespace": route.metadata.namespace},
            "status": status.to_document(),
        },
        announcements=_announced(route, status),
    )


def _programming(snapshot: RouteSnapshot) -> RouteProgramming:
    """What the checks find comes first: gateways find the same, and there may be none."""
    generation = snapshot.route.metadata.generation
    if snapshot.refusal:
        return RouteProgramming(False, False, "InvalidSpec", snapshot.refusal, generation)
    if snapshot.lost is not None:
        why = f'the model name "{snapshot.lost.name}" belongs to ModelRoute {snapshot.lost.holder}'
        return RouteProgramming(False, False, "Conflict", why, generation)
    return together(snapshot.gateways, generation)


def together(said: Sequence[RouteProgramming | None], generation: int) -> RouteProgramming:
    """What several gateways say, as one: in use only where each has this generation in use."""
    if not said:
        return NO_GATEWAY
    current = [one for one in said if one is not None and one.generation == generation]
    for one in current:
        if not one.accepted:
            return one
    if len(current) < len(said):
        message = "not every gateway has this version yet"
        return RouteProgramming(True, False, "Pending", message, generation)
    for one in current:
        if not one.programmed:
            return one
    unusable = {name: why for one in reversed(current) for name, why in one.unusable}
    unresolved = next((one.unresolved for one in current if one.unresolved), "")
    first = current[0]
    return RouteProgramming(
        True, True, first.reason, first.message, generation, tuple(sorted(unusable.items())), unresolved
    )


_CAUSES = frozenset({"Accepted", "ResolvedRefs"})


def _announced(route: ModelRoute, status: ModelRouteStatus) -> tuple[Announcement, ...]:
    """Events for a trouble that came, and for Ready that came."""
    before = {one.type: (one.status, one.reason) for one in route.status.conditions}
    flipped = [one for one in status.conditions if before.get(one.type) != (one.status, one.reason)]
    return tuple(
        Announcement.of(one.reason, one.message, is_warning=one.status == "False")
        for one in flipped
        if (one.type in _CAUSES and one.status == "False") or (one.type == "Ready" and one.status == "True")
    )

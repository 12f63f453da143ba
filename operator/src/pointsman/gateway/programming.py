"""What Envoy made of each route: accepted as written or not, in use or not, and Envoy's own reason."""

from collections.abc import Mapping

from pointsman.api import ObjectKey
from pointsman.gateway.session import DeltaSession
from pointsman.gateway.store import ResourceStore
from pointsman.routing import RoutingInput
from pointsman.routing.claims import claimed_names
from pointsman.routing.programming import RouteProgramming
from pointsman.routing.resources import CLUSTER, LISTENER, SCOPE


def deafness(store: ResourceStore) -> str:
    """Why nobody can reach the gateway, in one line; empty if nothing stands against it."""
    for (type_url, name), refusal in sorted(store.refusals.items()):
        if type_url == LISTENER:
            return f"Envoy refused the listener {name} ({refusal.reason})"
    return ""


def route_programming(
    given: RoutingInput, store: ResourceStore, session: DeltaSession | None
) -> Mapping[ObjectKey, RouteProgramming]:
    """The state of every route of an input."""
    claims = claimed_names(given.routes.values())
    refused: dict[ObjectKey, str] = {}
    for (type_url, name), refusal in sorted(store.refusals.items()):
        wanted = store.wanted((type_url, name))
        for owner in wanted.owners if wanted is not None else ():
            refused.setdefault(owner, f"Envoy refused {type_url.rsplit('.', 1)[-1]} {name}: {refusal.reason}")
    waiting: set[ObjectKey] = set()
    for type_url in (CLUSTER, SCOPE):
        for name in store.names(type_url):
            wanted = store.wanted((type_url, name))
            if wanted is not None and wanted.owners and (session is None or not session.holds(wanted)):
                waiting |= wanted.owners
    deaf = deafness(store)
    listening = session is not None and all(
        session.holds(wanted)
        for name in store.names(LISTENER)
        if (wanted := store.wanted((LISTENER, name))) is not None
    )
    states = {}
    for key, route in given.routes.items():
        generation = route.metadata.generation
        lost = [name for name in route.spec.models if claims[name].key != key]
        if key in refused:
            state = RouteProgramming(False, False, "RefusedByEnvoy", refused[key], generation)
        elif lost:
            holder = claims[lost[0]].key
            state = RouteProgramming(
                False,
                False,
                "Conflict",
                f'the model name "{lost[0]}" belongs to ModelRoute {holder}',
                generation,
            )
        elif deaf:
            state = RouteProgramming(True, False, "NotListening", deaf, generation)
        elif key in waiting or not listening:
            state = RouteProgramming(True, False, "Pending", "Envoy has not confirmed it yet", generation)
        else:
            state = RouteProgramming(True, True, "Programmed", "", generation)
        states[key] = state
    return states

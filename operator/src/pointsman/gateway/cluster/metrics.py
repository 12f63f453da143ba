"""How well a gateway of a cluster hears, for the page of its metrics."""

from pointsman.gateway.cluster.follow import Follower
from pointsman.gateway.exposition import Family, Sample

_AGE = Family(
    "watch_age_seconds", "gauge", "How old what is known may be: since the API server last spoke of the kind."
)
_REFUSED = Family(
    "inputs_refused_total", "counter", "Changes that the gateway could not take; what it had goes on."
)


def hearing(follower: Follower) -> list[tuple[Family, list[Sample]]]:
    """The oldest watch of each kind, and what was heard and could not be taken."""
    ages: dict[str, float] = {}
    for informer in follower.informers:
        kind = informer.selection.kind.kind
        ages[kind] = max(ages.get(kind, 0.0), informer.age_seconds)
    return [
        (_AGE, [Sample(_AGE.name, {"kind": kind}, round(age, 1)) for kind, age in sorted(ages.items())]),
        (_REFUSED, [Sample(_REFUSED.name, {}, float(follower.refusals))]),
    ]

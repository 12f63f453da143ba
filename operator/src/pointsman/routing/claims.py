"""Which route a public model name belongs to."""

from collections.abc import Iterable

from pointsman.api import ModelRoute


def claimed_names(routes: Iterable[ModelRoute]) -> dict[str, ModelRoute]:
    """Each public name with its route: the oldest claim holds, among equals the first by its key."""
    claims: dict[str, ModelRoute] = {}
    for route in sorted(routes, key=lambda r: (r.metadata.creation_timestamp or "~", r.key)):
        for name in route.spec.models:
            claims.setdefault(name, route)
    return claims

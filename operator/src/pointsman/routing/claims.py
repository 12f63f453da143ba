"""Which route a public model name belongs to."""

from collections.abc import Iterable

from pointsman.api import ModelRoute
from pointsman.api.checks import name_owners


def claimed_names(routes: Iterable[ModelRoute]) -> dict[str, ModelRoute]:
    """Each public name with its route, whatever the order: among equally old ones the first by key."""
    by_key = {route.key: route for route in sorted(routes, key=lambda route: route.key)}
    return {name: by_key[owner] for name, owner in name_owners(by_key.values()).items()}

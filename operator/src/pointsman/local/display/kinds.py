"""The kinds by every name that kubectl would take: `pmd`, `modeldeployment`, `ModelDeployments`, with the
group.
"""

import difflib

from pointsman.api import GROUP, GuardrailPolicy, ModelDeployment, ModelRoute
from pointsman.api.resource import Resource
from pointsman.errors import PointsmanError

KINDS: tuple[type[Resource], ...] = (ModelDeployment, ModelRoute, GuardrailPolicy)

CATEGORY = "pointsman"
"""All of them, as `kubectl get pointsman`."""

_BY_NAME = {name: kind for kind in KINDS for name in (kind.short_name, kind.__name__.lower(), kind.plural)}


def kind_named(name: str) -> type[Resource]:
    """Raises PointsmanError for any other name."""
    plain = name.lower().removesuffix(f".{GROUP}")
    if plain in _BY_NAME:
        return _BY_NAME[plain]
    near = difflib.get_close_matches(plain, _BY_NAME, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"use one of {', '.join(sorted(_BY_NAME))}"
    raise PointsmanError(f'there is no kind "{name}"', todo=hint)


def singular(kind: type[Resource]) -> str:
    return kind.__name__.lower()

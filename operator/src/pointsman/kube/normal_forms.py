"""What the API server spells in another way than it was given, and what it fills in inside a value. Pure.

Only what Kubernetes' own types do: in custom resources a value stays as it was written, and a default of
their schema inside a list without keys is learnt from the answer to an apply (`settled.py`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pointsman.api.scalars import Quantity

Path = tuple[str, ...]
"""Names of members from the root; an item of a list without keys is "*", of one with keys "[name=x]"."""

# Whose members are quantities, under something that has resources.
_QUANTITY_MAPS: Final = frozenset({"limits", "requests"})
# Maps of text to text, which are as good as absent when they are empty.
_PLAIN_MAPS: Final = frozenset({"matchLabels", "nodeSelector", "annotations", "labels", *_QUANTITY_MAPS})
_QUANTITIES: Final = frozenset({"sizeLimit", "divisor"})
_QUANTITY: Final = re.compile(Quantity.pattern)

# Member -> what the API server fills in (k8s.io/kubernetes pkg/apis/*/v1/defaults.go), for members of values
# that are compared as a whole and of keys. Beside fields of our own in a map defaults are not looked at.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "protocol": "TCP",
    "scope": "*",
    "matchPolicy": "Equivalent",
    "expirationSeconds": 3600,
    "divisor": "0",
}


def is_default(path: Path, value: Any, beside: Mapping[str, Any]) -> bool:
    """Whether `value` is what the API server puts at `path` by itself; `beside` is the map that has it."""
    name = path[-1]
    if name == "apiVersion":
        return "fieldPath" in beside and value == "v1"
    return name in _DEFAULTS and bool(value == _DEFAULTS[name])


def is_forgotten(name: str, value: Any) -> bool:
    """Whether the API server leaves this member out of what it stores: an empty list, or a known empty map.

    Of other maps `{}` says something that a missing one does not, such as `podSelector` or `emptyDir`.
    """
    return value == [] or (value == {} and name in _PLAIN_MAPS)


def same_scalar(wanted: Any, live: Any, path: Path) -> bool:
    """Whether the API server would store `wanted` as `live`."""
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if wanted == live:
        return True
    if not is_quantity(path):
        return False
    ours, theirs = str(wanted), str(live)
    if not _QUANTITY.fullmatch(ours) or not _QUANTITY.fullmatch(theirs):
        return False
    return Quantity(ours).decimal == Quantity(theirs).decimal


def is_quantity(path: Path) -> bool:
    """Whether Kubernetes' own types have a quantity there: the API server writes it in its shortest form."""
    if path[-1] in _QUANTITIES:
        return True
    return len(path) > 2 and path[-2] in _QUANTITY_MAPS and path[-3] == "resources"

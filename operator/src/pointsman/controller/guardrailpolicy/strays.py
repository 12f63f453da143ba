"""What somebody wrote into a native object beside our fields. Pure.

Server-side apply leaves the fields of others alone, but here each of them changes which requests a rule sees:
a condition that is never true, namespaces that a binding is not for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_BY_NAME = ("matchConditions", "variables")
"""Lists whose entries are told apart by name: others may add to them."""


def without_strays(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch that leaves of a live `spec` what is wanted; {} where nothing is to go. What is
    ours and was changed is for an apply.
    """
    patch: dict[str, Any] = {}
    for name, value in live.items():
        ours = wanted.get(name)
        if ours is None:
            patch[name] = None
        elif isinstance(ours, Mapping) and isinstance(value, Mapping):
            below = without_strays(ours, value)
            if below:
                patch[name] = below
        elif name in _BY_NAME and _names(value) - _names(ours):
            patch[name] = ours
    return patch


def _names(entries: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(one.get("name", "")) for one in entries}

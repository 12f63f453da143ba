"""What somebody wrote into a native object beside our fields. Pure.

Server-side apply leaves the fields of others alone, but here each of them changes which requests a rule sees:
a condition that is never true, namespaces that a binding is not for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.controller.acting import MANAGER
from pointsman.json_text import loaded
from pointsman.kube.difference import owned_fields
from pointsman.kube.made import is_made, made_fields
from pointsman.kube.objects import KubeObject

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


def by_others(patch: Mapping[str, Any], live: KubeObject) -> list[str]:
    """The fields of the spec that such a `patch` takes from somebody else. The rest was ours, and is not
    wanted any more.
    """
    owned = made_fields(live, MANAGER) if is_made(live, MANAGER) else owned_fields(live, MANAGER)
    ours = (owned or {}).get("f:spec") or {}
    spec = live.get("spec") or {}
    return sorted(
        name
        for name, value in patch["spec"].items()
        if not _was_ours(value, ours.get(f"f:{name}"), spec.get(name))
    )


def _was_ours(value: Any, ours: Mapping[str, Any] | None, live: Any) -> bool:
    if ours is None:
        return False
    if not ours or value is None:
        return True  # it is one value
    if isinstance(value, Mapping):
        return all(_was_ours(below, ours.get(f"f:{name}"), live[name]) for name, below in value.items())
    keys = {loaded(one[2:]).get("name") for one in ours if one.startswith("k:")}
    return _names(live) - _names(value) <= keys


def _names(entries: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(one.get("name", "")) for one in entries}

"""Frozen renderings as ControllerRevisions, and the rule when one is made anew."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from pointsman.api import ModelDeployment
from pointsman.catalog.adapters import all_downloaded
from pointsman.errors import PointsmanError
from pointsman.json_text import dumped, loaded
from pointsman.placement import Placement
from pointsman.workloads import naming
from pointsman.workloads.render import owner_reference
from pointsman.workloads.rendering import Rendering

# What no pod depends on: how many there are, who may use them, what is only said of them. A changed drain
# holds for the pods of the next rendering: restarting all of them would be its opposite.
_WITHOUT_EFFECT: Final = frozenset(
    {
        "replicas", "scaling", "drain", "refresh", "tier", "dataClasses", "license", "allowedRoutes",
    }
)  # fmt: skip
_HASH_DIGITS = 16
# One text: an API server takes twice as long for the same as objects, which nobody but us reads. Those that
# hold objects are read all the same.
_TEXT: Final = "rendering"


class Renewal(StrEnum):
    """Why a frozen rendering is no longer good."""

    FIRST = "First"
    SPEC_CHANGED = "SpecChanged"
    REFRESH_ASKED = "RefreshAsked"
    INFEASIBLE = "Infeasible"


def spec_hash(deployment: ModelDeployment, *, live_adapters: bool = False) -> str:
    """Changes with what pods depend on, and with nothing else: neither with a default that is written out,
    nor with a field that a later version of the API adds. With `live_adapters` it does not change with which
    adapters there are, as long as there are any and running pods can fetch them.
    """
    spec = deployment.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    if live_adapters and deployment.spec.model is not None and all_downloaded(deployment.spec.model):
        spec["model"]["adapters"] = "live"
    stated = {key: value for key, value in spec.items() if key not in _WITHOUT_EFFECT}
    text = json.dumps(_pruned(stated), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def renewal(
    deployment: ModelDeployment, frozen: Rendering | None, *, feasible: bool = True
) -> Renewal | None:
    """Why the rendering must be made anew, None while it holds. `feasible` is False when the frozen placement
    can no longer be had: its accelerator is gone from the fleet.
    """
    if frozen is None:
        return Renewal.FIRST
    if spec_hash(deployment, live_adapters=bool(frozen.adapters)) != frozen.spec_hash:
        return Renewal.SPEC_CHANGED
    if deployment.spec.refresh != frozen.refresh:
        return Renewal.REFRESH_ASKED
    return None if feasible else Renewal.INFEASIBLE


def controller_revision(deployment: ModelDeployment, rendering: Rendering, number: int) -> dict[str, Any]:
    """The object that keeps a rendering; `number` counts up with each that is made."""
    metadata: dict[str, Any] = {
        "name": revision_name(deployment, rendering),
        "namespace": deployment.metadata.namespace,
        "labels": {
            **naming.object_labels(deployment, rendering.engine),
            naming.REVISION: rendering.name,
        },
    }
    if deployment.metadata.uid:
        metadata["ownerReferences"] = [owner_reference(deployment)]
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "revision": number,
        "data": {_TEXT: dumped(rendering.to_json()).decode()},
    }


def revision_name(deployment: ModelDeployment, rendering: Rendering) -> str:
    """Named by its content: writing the same rendering twice is writing it once."""
    base = naming.base_name(deployment.metadata.name)
    return f"{base[: 62 - len(rendering.name)].rstrip('-')}-{rendering.name}"


def frozen_rendering(revision: Mapping[str, Any]) -> Rendering:
    """The rendering that a ControllerRevision keeps. PointsmanError where it cannot be read."""
    return Rendering.from_json(_stated(revision))


def frozen_placement(revision: Mapping[str, Any]) -> Placement:
    """The placement of that rendering, for whoever needs no more. PointsmanError where it cannot be read."""
    try:
        return Placement.from_json(_stated(revision)["placement"])
    except (KeyError, TypeError, ValueError) as error:
        name = revision.get("metadata", {}).get("name", "")
        raise PointsmanError("the ControllerRevision holds no placement", where=str(name)) from error


def _stated(revision: Mapping[str, Any]) -> Mapping[str, Any]:
    data = revision.get("data")
    try:
        stated = loaded(data[_TEXT]) if isinstance(data, Mapping) and _TEXT in data else data
    except (TypeError, ValueError):
        stated = None
    if not isinstance(stated, Mapping):
        name = revision.get("metadata", {}).get("name", "")
        raise PointsmanError(
            "the ControllerRevision holds no rendering",
            where=str(name),
            todo="delete it, it is made anew",
        )
    return stated


def _pruned(value: Any) -> Any:
    """Without empty mappings and lists, which say nothing."""
    if isinstance(value, Mapping):
        items = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value

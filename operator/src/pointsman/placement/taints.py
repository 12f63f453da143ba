"""Whether pods of ours may run on a node in spite of its taints, as the scheduler decides it."""

from collections.abc import Iterable, Mapping
from typing import Any

from pointsman.api import FleetSettings
from pointsman.api.podoverlay import Toleration, TolerationOperator
from pointsman.placement.devices import setting_of

_KEEP_PODS_AWAY = {"NoSchedule", "NoExecute"}


def tolerated(
    taints: Iterable[Mapping[str, Any]], accelerator: str, resource: str, fleet: FleetSettings
) -> bool:
    """True if pods with this accelerator tolerate all taints: the one named as the resource, which every such
    pod does, and those of the fleet settings. What a deployment tolerates beyond that is not looked at.
    """
    setting = setting_of(accelerator, fleet)
    stated = () if setting is None else setting.tolerations
    return all(
        taint.get("effect") not in _KEEP_PODS_AWAY
        or taint.get("key") == resource
        or any(_matches(one, taint) for one in stated)
        for taint in taints
    )


def _matches(toleration: Toleration, taint: Mapping[str, Any]) -> bool:
    if toleration.effect is not None and toleration.effect != taint.get("effect"):
        return False
    if toleration.key is None:
        return toleration.operator is TolerationOperator.EXISTS
    if toleration.key != taint.get("key"):
        return False
    match toleration.operator:
        case TolerationOperator.EXISTS:
            return True
        case TolerationOperator.EQUAL:
            return (toleration.value or "") == (taint.get("value") or "")
        case TolerationOperator.LESS_THAN | TolerationOperator.GREATER_THAN:
            return _compares(toleration, str(taint.get("value") or ""))


def _compares(toleration: Toleration, value: str) -> bool:
    try:
        bound, found = int(toleration.value or ""), int(value)
    except ValueError:
        return False
    less = toleration.operator is TolerationOperator.LESS_THAN
    return found < bound if less else found > bound

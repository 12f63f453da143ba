"""How the replicas that are wanted split over the pools. Pure."""

from collections.abc import Mapping, Sequence

from pointsman.api import ModelDeployment
from pointsman.api.modeldeployment_status import PoolStatus, ScalingState, ScalingStatus
from pointsman.api.scaling import ScalingMode


def split(deployment: ModelDeployment, pools: Sequence[str]) -> Mapping[str, int]:
    """Replicas of each pool, in the order of the pools; their sum is spec.replicas.

    The autoscaler's split counts while it is for the replicas that are wanted now, and no mere advice; where
    it was switched off, until another number is wanted: the same number later is somebody else's.
    Otherwise the minima are filled first, then the pools in the order in which the spec prefers them. What no
    pool may take goes to the last: a person who asks for more than the pools' maxima is not ignored.
    """
    wanted = deployment.spec.replicas
    if len(pools) == 1:
        return {pools[0]: wanted}
    scaling = deployment.status.scaling
    if scaling is None or scaling.state == ScalingState.ADVISING:
        return _in_order(deployment, pools, wanted)
    given = _autoscalers(scaling, wanted, pools)
    if _is_off(deployment) and given != _as_it_is(deployment.status.pools, wanted, pools):
        return _in_order(deployment, pools, wanted)
    if given is None and scaling.for_replicas != wanted:
        given = _as_it_is(deployment.status.pools, wanted, pools)
    return given if given is not None else _in_order(deployment, pools, wanted)


def _is_off(deployment: ModelDeployment) -> bool:
    scaling = deployment.spec.scaling
    return scaling is None or scaling.mode is ScalingMode.OFF


def _autoscalers(scaling: ScalingStatus, wanted: int, pools: Sequence[str]) -> Mapping[str, int] | None:
    if scaling.for_replicas != wanted:
        return None
    stated = {pool.name: pool.replicas for pool in scaling.pools}
    if set(stated) - set(pools) or sum(stated.values()) != wanted:
        return None
    return {name: stated.get(name, 0) for name in pools}


def _as_it_is(former: Sequence[PoolStatus], wanted: int, pools: Sequence[str]) -> Mapping[str, int] | None:
    """The split as it was, while the autoscaler is about to write another number after its split: nothing
    moves between the two.
    """
    there = {pool.name: pool.replicas for pool in former}
    return there if list(there) == list(pools) and sum(there.values()) == wanted else None


def _in_order(deployment: ModelDeployment, pools: Sequence[str], wanted: int) -> Mapping[str, int]:
    hardware = deployment.spec.hardware
    stated = {pool.name: pool for pool in hardware.pools} if hardware is not None else {}
    left = wanted
    result = dict.fromkeys(pools, 0)
    for name in pools:
        if name in stated:
            result[name] = min(stated[name].min_replicas, left)
            left -= result[name]
    for name in pools:
        most = stated[name].max_replicas if name in stated else wanted
        more = min(max(0, most - result[name]), left)
        result[name] += more
        left -= more
    result[pools[-1]] += left
    return result

"""What is decided for requests that are held while nothing serves: how many follow is not known yet."""

import pytest

from pointsman_autoscaler.decision import Observation, Reason, decide
from tests.support.observations import load, observation, pool, settings

TO_ZERO = settings(idle=600.0)
SCENES = {
    "the first request after a silence is no rate, whatever the seconds in which it came": (
        observation(pool(rate=0.03), load=load(0.07, backlog=1.0), settings=TO_ZERO),
        1,
    ),
    "nor is it while the replica that was asked for starts": (
        observation(
            pool(rate=0.03, asked=1, pending=(20.0,)), load=load(0.05, backlog=1.0), settings=TO_ZERO
        ),
        1,
    ),
    "one request that takes long is served by one replica, however slow that is": (
        observation(pool(rate=0.002), load=load(0.0, backlog=1.0), settings=TO_ZERO),
        1,
    ),
    "those that wait ask for what works them off in time": (
        # 30 in a minute wait, 29 tell of a rate: 30 + (29 / 60)·100 = 78 in 100 s beside it, 0.3 by each.
        observation(pool(rate=0.3), load=load(0.5, backlog=30.0), settings=TO_ZERO),
        5,
    ),
}


@pytest.mark.parametrize(("seen", "want"), SCENES.values(), ids=SCENES)
def test_waking(seen: Observation, want: int) -> None:
    decision = decide(seen)
    assert (dict(decision.replicas), decision.reason) == ({"h100": want}, Reason.BURST), decision.detail

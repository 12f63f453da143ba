"""What is decided where spot capacity may be lost, one row each."""

from dataclasses import replace

import pytest

from pointsman_autoscaler.decision import Observation, Past, Reason, decide
from tests.support.observations import load, observation, pool

SCENES: dict[str, tuple[Observation, dict[str, int], Reason]] = {
    "spot that is lost often needs others beside it for the expected load": (
        observation(
            pool("od", price=4.0),
            pool("spot", price=1.0, spot=True, losses=4.0),
            load=load(8.9, deviation=2.5),
        ),
        {"od": 3, "spot": 2},
        Reason.SPOT_HEDGE,
    ),
    "spot that may be lost for now carries all of it": (
        replace(
            observation(
                pool("od", price=4.0),
                pool("spot", price=1.0, spot=True, losses=4.0),
                load=load(8.9, deviation=2.5),
            ),
            may_be_exposed=True,
        ),
        {"od": 0, "spot": 5},
        Reason.LOAD,
    ),
    "a hedge that costs little stays, though spot may be lost": (
        replace(
            observation(
                pool("od", price=4.0),
                pool("spot", price=3.9, spot=True, losses=4.0),
                load=load(8.0),
            ),
            may_be_exposed=True,
        ),
        {"od": 3, "spot": 0},
        Reason.SPOT_HEDGE,
    ),
    "what is left when spot is lost may work half the way to its saturation": (
        # Three a second for ever, four and a half at most: 3.75 meanwhile, and two carry 7.4.
        observation(pool("od", price=4.0), pool("spot", price=1.0, spot=True, losses=4.0), load=load(7.4)),
        {"od": 2, "spot": 1},
        Reason.SPOT_HEDGE,
    ),
    "a mix that costs little less does not take the place of what survives a loss": (
        # With its starts paid for, the other would save seven per cent: those that are there stay.
        observation(
            pool("od", price=4.0, asked=3),
            pool("other", price=3.7),
            pool("spot", price=1.0, spot=True, losses=4.0),
            load=load(8.9),
        ),
        {"od": 3, "other": 0, "spot": 0},
        Reason.HELD,
    ),
    "what spot needs beside it goes no sooner than what the load needs": (
        # 8.9 were expected when 10.6 were needed: three on demand, though 5.9 leave two enough.
        observation(
            pool("od", price=4.0, asked=3),
            pool("spot", price=1.0, spot=True, losses=4.0, asked=1),
            load=load(5.9),
            past=Past(need=10.6, calm_need=10.6),
        ),
        {"od": 3, "spot": 1},
        Reason.HELD,
    ),
    "spot that is hardly ever lost carries all of it": (
        observation(
            pool("od", price=4.0),
            pool("spot", price=1.0, spot=True, losses=0.2),
            load=load(9.0, deviation=2.5),
        ),
        {"od": 0, "spot": 5},
        Reason.LOAD,
    ),
    "spot in two zones survives the loss of the worse one": (
        observation(
            pool("od", price=4.0),
            pool("spot-a", price=1.0, spot=True, losses=4.0, domain="a"),
            pool("spot-b", price=1.1, spot=True, losses=4.0, domain="b"),
            load=load(8.9),
        ),
        {"od": 0, "spot-a": 3, "spot-b": 3},
        Reason.SPOT_HEDGE,
    ),
    "spot was taken: on-demand starts at once in its place": (
        observation(
            pool("od", price=4.0),
            pool("spot", price=1.0, spot=True, asked=4, ready=1, pending=(5.0,) * 3, barred=True),
            load=load(8.9),
        ),
        {"od": 2, "spot": 1},
        Reason.LOAD,
    ),
    "spot beside a hedge goes when the others do for certain": (
        # 8.9 were needed and three carry 9.0; what one carries is not known so well.
        observation(
            pool("od", price=4.0, asked=3),
            pool("spot", price=1.0, spot=True, losses=4.0, asked=1),
            load=load(8.5),
            past=Past(need=8.9, calm_need=8.9),
        ),
        {"od": 3, "spot": 1},
        Reason.HELD,
    ),
    "a start of spot that is somewhat late is asked for again, and nothing takes its place yet": (
        observation(
            pool("od", price=4.0),
            pool("spot", price=1.0, spot=True, losses=0.2, asked=3, ready=2, pending=(160.0,)),
            load=load(8.9),
        ),
        {"od": 0, "spot": 4},
        Reason.LOAD,
    ),
}


@pytest.mark.parametrize(("seen", "want", "reason"), SCENES.values(), ids=SCENES)
def test_scene(seen: Observation, want: dict[str, int], reason: Reason) -> None:
    decision = decide(seen)
    assert (dict(decision.replicas), decision.reason) == (want, reason), decision.detail


@pytest.mark.parametrize(("may_be_exposed", "said"), [(True, True), (False, False)])
def test_a_missing_hedge_is_said(may_be_exposed: bool, said: bool) -> None:
    pools = pool("od", price=4.0), pool("spot", price=1.0, spot=True, losses=4.0)
    seen = replace(observation(*pools, load=load(8.9)), may_be_exposed=may_be_exposed)
    assert ("nothing stands by for a loss of spot" in decide(seen).sentence) is said

"""What is decided in scenes that operators know, one row each."""

from dataclasses import dataclass

import pytest

from pointsman_autoscaler.decision import Observation, Past, Reason, Seen, Tuning, decide
from tests.support.observations import NOW, load, observation, pool, settings

MINUTE = 60.0


@dataclass(frozen=True)
class Scene:
    seen: Observation
    want: dict[str, int]
    want_reason: Reason


SCENES = {
    "a steady load gets what it needs and no more": Scene(
        observation(pool(asked=4), load=load(10.0)), {"h100": 4}, Reason.LOAD
    ),
    "an uncertain load gets headroom for what is likely": Scene(
        observation(pool(asked=4), load=load(10.0, deviation=2.0)), {"h100": 5}, Reason.LOAD
    ),
    "an uncertain load for whole replicas gets what is likely on the mean of such loads": Scene(
        # 11.4 of 12: less than 12.3, which 99 of 100 such loads are below.
        observation(pool(asked=4), load=load(10.0, deviation=1.0)),
        {"h100": 4},
        Reason.LOAD,
    ),
    "a last minute within chance of what is expected needs no more": Scene(
        observation(pool(asked=4), load=load(12.5, foreseen=11.6)), {"h100": 4}, Reason.LOAD
    ),
    "more load is foreseen when a replica would be ready": Scene(
        observation(pool(asked=4), load=load(10.0, foreseen=20.0)), {"h100": 7}, Reason.LOAD
    ),
    "less load is foreseen, but it is still here": Scene(
        observation(pool(asked=4), load=load(10.0, foreseen=2.0)), {"h100": 4}, Reason.LOAD
    ),
    "ten times the load in the last scrapes is believed at once": Scene(
        observation(pool(asked=4), load=load(12.0, newest=100.0)), {"h100": 34}, Reason.LOAD
    ),
    "a queue that waits too long is sized for in one step": Scene(
        # 30 wait, 100 s to a start: 30 + (30 - 2·4.5)·100 = 2,130 to work off in 100 s beside 30 a second.
        observation(pool(asked=2), load=load(30.0, backlog=30.0)),
        {"h100": 18},
        Reason.BURST,
    ),
    "a queue that those on their way will work off asks for no more": Scene(
        observation(
            pool(asked=18, ready=2, pending=(90.0,) * 16),
            load=load(30.0, backlog=1900.0),
            past=Past(last_up_seconds=NOW - 90.0),
        ),
        {"h100": 18},
        Reason.HELD,
    ),
    "a short queue within the bound asks for nothing": Scene(
        observation(pool(asked=4), load=load(10.0, backlog=5.0)), {"h100": 4}, Reason.LOAD
    ),
    "replicas on their way are not asked for again": Scene(
        observation(pool(asked=4, ready=1, pending=(20.0,) * 3), load=load(10.0)), {"h100": 4}, Reason.LOAD
    ),
    "a replica that should be ready by now is asked for again": Scene(
        observation(pool(asked=4, ready=3, pending=(200.0,)), load=load(10.0)), {"h100": 5}, Reason.LOAD
    ),
    "a pool where nothing starts is not asked for ever more": Scene(
        observation(pool(asked=12, ready=0, pending=(900.0,) * 12), load=load(10.0)), {"h100": 5}, Reason.LOAD
    ),
    "another flavour takes the place of one that is stuck": Scene(
        observation(
            pool("a100", asked=4, ready=2, pending=(900.0,) * 2), pool("h100", price=9.0), load=load(10.0)
        ),
        {"a100": 2, "h100": 2},
        Reason.LOAD,
    ),
    "a flavour that was late is not asked for more, though it is cheap": Scene(
        observation(pool("a100", asked=1, barred=True), pool("h100", price=9.0, asked=3), load=load(11.9)),
        {"a100": 1, "h100": 3},
        Reason.LOAD,
    ),
    "the only flavour is asked for even if it was late": Scene(
        observation(pool(asked=1, barred=True), load=load(10.0)), {"h100": 4}, Reason.LOAD
    ),
    "the cheapest for what it carries is taken": Scene(
        observation(pool("h100", rate=3.0, price=4.0), pool("l40s", rate=1.0, price=1.0), load=load(11.9)),
        {"h100": 0, "l40s": 12},
        Reason.LOAD,
    ),
    "a mix is taken where whole replicas of one kind cost more": Scene(
        observation(pool("h100", rate=3.0, price=4.0), pool("l40s", rate=1.0, price=1.9), load=load(9.9)),
        {"h100": 3, "l40s": 1},
        Reason.LOAD,
    ),
    "a flavour that is dear for what it carries does not come for the rest of the load": Scene(
        observation(pool("h100", rate=5.0, price=13.8), pool("a100", rate=1.0, price=6.9), load=load(10.5)),
        {"a100": 0, "h100": 3},
        Reason.LOAD,
    ),
    "but it is the one for little load": Scene(
        observation(pool("h100", rate=5.0, price=13.8), pool("a100", rate=1.0, price=6.9), load=load(0.8)),
        {"a100": 1, "h100": 0},
        Reason.LOAD,
    ),
    "and where the others are not to be had": Scene(
        observation(
            pool("h100", rate=5.0, price=13.8, maximum=2), pool("a100", rate=1.0, price=6.9), load=load(10.5)
        ),
        {"a100": 1, "h100": 2},
        Reason.LOAD,
    ),
    "full caches do not ask for the cheapest memory, but for what empties them": Scene(
        observation(
            pool("h100", rate=5.0, price=13.8, asked=2, tokens=100.0),
            pool("a100", rate=1.5, price=6.9, tokens=100.0),
            load=load(9.0, tokens=250.0),
        ),
        {"a100": 0, "h100": 3},
        Reason.SATURATION,
    ),
    "where only slower ones are to be had, full caches ask for as many as have the room": Scene(
        observation(
            pool("h100", rate=5.0, price=13.8, asked=2, maximum=2, tokens=100.0),
            pool("a100", rate=1.5, price=6.9, tokens=100.0),
            load=load(9.0, tokens=250.0),
        ),
        {"a100": 1, "h100": 2},
        Reason.SATURATION,
    ),
    "a price that falls moves the load, and the old replicas stay until the others are ready": Scene(
        observation(pool("a100", asked=4, price=9.0), pool("h100", price=2.0), load=load(11.9)),
        {"a100": 4, "h100": 4},
        Reason.LOAD,
    ),
    "when the cheaper ones are ready the old ones go": Scene(
        observation(pool("a100", asked=4, price=9.0), pool("h100", price=2.0, asked=4), load=load(11.9)),
        {"a100": 0, "h100": 4},
        Reason.LOAD,
    ),
    "a price that falls a little is not worth the starts": Scene(
        observation(pool("a100", asked=4, price=4.05), pool("h100", price=4.0), load=load(11.9)),
        {"a100": 4, "h100": 0},
        Reason.LOAD,
    ),
    "a quota that was lowered is kept, another flavour helps out": Scene(
        observation(pool("a100", asked=4, maximum=2), pool("h100", price=9.0), load=load(11.9)),
        {"a100": 2, "h100": 2},
        Reason.LOAD,
    ),
    "no flavour may have more": Scene(
        observation(pool(asked=2, maximum=2), load=load(11.9)), {"h100": 2}, Reason.QUOTA
    ),
    "all together may not be more": Scene(
        observation(pool(asked=3), load=load(11.9), settings=settings(maximum=3)), {"h100": 3}, Reason.MAXIMUM
    ),
    "the budget buys the most that it can": Scene(
        observation(
            pool("a100", rate=1.0, price=2.0),
            pool("h100", rate=3.0, price=4.0),
            load=load(30.0),
            settings=settings(budget=14.0),
        ),
        {"a100": 1, "h100": 3},
        Reason.BUDGET,
    ),
    "a budget below the least that is allowed does not take it away": Scene(
        observation(pool(asked=2), load=load(11.9), settings=settings(minimum=2, budget=5.0)),
        {"h100": 2},
        Reason.BUDGET,
    ),
    "a budget below what the schedule asks for pays for that many of the cheapest": Scene(
        observation(
            pool("a100", rate=1.0, price=3.0, maximum=2),
            pool("h100", rate=2.0, price=4.0, maximum=1),
            load=load(3.6),
            settings=settings(0, 3, budget=1.0),
            scheduled=("office", 2),
        ),
        {"a100": 2, "h100": 0},
        Reason.BUDGET,
    ),
    "a budget that was lowered is kept at once": Scene(
        observation(
            pool(asked=10),
            load=load(30.0),
            settings=settings(budget=20.0),
            past=Past(last_up_seconds=NOW - 1),
        ),
        {"h100": 5},
        Reason.BUDGET,
    ),
    "little load gets the least that is allowed": Scene(
        observation(pool(asked=3), load=load(1.0), settings=settings(minimum=3)), {"h100": 3}, Reason.MINIMUM
    ),
    "the schedule asks for more than the load": Scene(
        observation(pool(asked=1), load=load(1.0), scheduled=("office", 4)), {"h100": 4}, Reason.SCHEDULE
    ),
    "fewer would do, but they were needed a moment ago": Scene(
        observation(pool(asked=4), load=load(2.0), past=Past(need=11.0)), {"h100": 4}, Reason.HELD
    ),
    "far more than is needed goes soon, the last one near it stays": Scene(
        # 6.0 × 1.25 and one replica: 10.5 of the 30 that were needed some time ago.
        observation(pool(asked=10), load=load(6.0), past=Past(need=6.0, calm_need=30.0)),
        {"h100": 4},
        Reason.HELD,
    ),
    "what was needed is kept as far as it is there, and not brought back": Scene(
        observation(pool(asked=3), load=load(2.0), past=Past(need=30.0)), {"h100": 3}, Reason.HELD
    ),
    "after more, not fewer for a while, whatever was needed": Scene(
        observation(pool(asked=4), load=load(2.0), past=Past(last_up_seconds=NOW - MINUTE)),
        {"h100": 4},
        Reason.HELD,
    ),
    "after the while they go": Scene(
        observation(pool(asked=4), load=load(2.0), past=Past(need=2.0, last_up_seconds=NOW - 16 * MINUTE)),
        {"h100": 1},
        Reason.LOAD,
    ),
    "without hysteresis they go at once": Scene(
        observation(
            pool(asked=4),
            load=load(2.0),
            past=Past(need=11.0, last_up_seconds=NOW - 1),
            tuning=Tuning(has_hysteresis=False),
        ),
        {"h100": 1},
        Reason.LOAD,
    ),
    "caches fill up though the load seems small": Scene(
        # 850,000 tokens ÷ 0.85 = 1,000,000, of which one replica holds 250,000.
        observation(pool(asked=2, tokens=250_000.0), load=load(2.0, tokens=850_000.0)),
        {"h100": 4},
        Reason.SATURATION,
    ),
    "caches fill up beyond what may be there: as many as may": Scene(
        observation(
            pool(asked=2, tokens=250_000.0),
            load=load(2.0, tokens=850_000.0),
            settings=settings(maximum=3),
        ),
        {"h100": 3},
        Reason.SATURATION,
    ),
    "nothing is seen: what is there stays": Scene(
        observation(pool(asked=4), load=None, seen=Seen.NOTHING), {"h100": 4}, Reason.BLIND
    ),
    "nothing is seen, and there are fewer than are allowed": Scene(
        observation(pool(asked=1), load=None, seen=Seen.NOTHING, settings=settings(minimum=3)),
        {"h100": 3},
        Reason.BLIND,
    ),
    "nothing is seen, and there are more than are allowed": Scene(
        observation(pool(asked=9), load=None, seen=Seen.NOTHING, settings=settings(maximum=5)),
        {"h100": 5},
        Reason.BLIND,
    ),
    "nothing is seen, and the budget is too small for what is there": Scene(
        observation(pool(asked=9), load=None, seen=Seen.NOTHING, settings=settings(budget=5.0)),
        {"h100": 9},
        Reason.BLIND,
    ),
    "what is seen is old: not fewer": Scene(
        observation(pool(asked=4), load=load(2.0), seen=Seen.STALE), {"h100": 4}, Reason.STALE
    ),
    "what is seen is old, but asks for more": Scene(
        observation(pool(asked=4), load=load(20.0), seen=Seen.STALE), {"h100": 7}, Reason.LOAD
    ),
    "half the replicas say nothing: not fewer": Scene(
        observation(pool(asked=4), load=load(2.0), seen=Seen.PART), {"h100": 4}, Reason.PARTLY_BLIND
    ),
    "half the replicas say nothing, and more is needed": Scene(
        observation(pool(asked=4), load=load(20.0), seen=Seen.PART), {"h100": 7}, Reason.LOAD
    ),
    "half the replicas say nothing, so idle is not believed": Scene(
        observation(
            pool(asked=1), load=load(0.0, idle=9999.0), seen=Seen.PART, settings=settings(idle=600.0)
        ),
        {"h100": 1},
        Reason.PARTLY_BLIND,
    ),
    "a full house changes places at once where the load does not fit otherwise": Scene(
        observation(
            pool("fast", rate=6.0, maximum=3),
            pool("slow", rate=1.0, price=1.0, asked=4),
            load=load(11.9),
            settings=settings(maximum=4),
            past=Past(last_up_seconds=NOW - 1),
        ),
        {"fast": 2, "slow": 0},
        Reason.LOAD,
    ),
    "half the replicas say nothing, so none changes places": Scene(
        observation(
            pool("fast", rate=6.0, maximum=3),
            pool("slow", rate=1.0, price=1.0, asked=4),
            load=load(11.9),
            settings=settings(maximum=4),
            seen=Seen.PART,
        ),
        {"fast": 0, "slow": 4},
        Reason.PARTLY_BLIND,
    ),
    "nothing was asked for long enough": Scene(
        observation(pool(asked=1), load=load(0.0, idle=601.0), settings=settings(idle=600.0)),
        {"h100": 0},
        Reason.IDLE,
    ),
    "nothing was asked, but not for long enough": Scene(
        observation(pool(asked=1), load=load(0.0, idle=599.0), settings=settings(idle=600.0)),
        {"h100": 1},
        Reason.MINIMUM,
    ),
    "nothing was asked for days, but to zero was not allowed": Scene(
        observation(pool(asked=1), load=load(0.0, idle=99_999.0)), {"h100": 1}, Reason.MINIMUM
    ),
    "a request is held while nothing runs": Scene(
        observation(pool(), load=load(0.0, backlog=1.0), settings=settings(idle=600.0)),
        {"h100": 1},
        Reason.BURST,
    ),
    "idle, but former days are busy at this time": Scene(
        observation(pool(), load=load(0.0, idle=9999.0, busy_share=0.8), settings=settings(idle=600.0)),
        {"h100": 1},
        Reason.PREWARMED,
    ),
    "idle, but the schedule wants some": Scene(
        observation(
            pool(), load=load(0.0, idle=9999.0), settings=settings(idle=600.0), scheduled=("office", 2)
        ),
        {"h100": 2},
        Reason.SCHEDULE,
    ),
    "no number of replicas keeps the bounds": Scene(
        observation(pool(asked=4, reachable=False), load=load(10.0)), {"h100": 4}, Reason.UNREACHABLE
    ),
    "no number of replicas keeps the bounds, and the budget says how many serve": Scene(
        observation(pool(asked=4, reachable=False), load=load(30.0), settings=settings(budget=20.0)),
        {"h100": 5},
        Reason.UNREACHABLE,
    ),
    "the pools' least numbers together are more than is allowed: the dearest gives way": Scene(
        observation(
            pool("a100", minimum=3, price=2.0),
            pool("h100", minimum=3, price=4.0),
            load=load(1.0),
            settings=settings(maximum=4),
        ),
        {"a100": 3, "h100": 1},
        Reason.MINIMUM,
    ),
    "no pool exists": Scene(observation(load=load(1.0)), {}, Reason.QUOTA),
    "one flavour without a mix": Scene(
        observation(
            pool("h100", rate=3.0, price=4.0),
            pool("l40s", rate=1.0, price=1.9),
            load=load(9.9),
            tuning=Tuning(has_mix=False),
        ),
        {"h100": 4, "l40s": 0},
        Reason.LOAD,
    ),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_scene(scene: Scene) -> None:
    decision = decide(scene.seen)
    assert (dict(decision.replicas), decision.reason) == (scene.want, scene.want_reason), decision.detail

"""What holds of every decision."""

from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pointsman_autoscaler.decision import Load, Observation, Past, Pool, Seen, Tuning, decide
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import Startup
from tests.support.observations import BOUNDS, NOW, ahead, pool

# Each draws some forty numbers and solves some integer programmes.
FEW = examples(max_examples=60)
NAMES = ("a100", "h100", "l40s", "spot-a", "spot-b")


def amounts(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most).map(lambda value: round(value, 2))


@st.composite
def pools(draw: st.DrawFn, most: int = 3) -> tuple[Pool, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=most, unique=True))
    return tuple(draw(one_pool(name)) for name in names)


@st.composite
def one_pool(draw: st.DrawFn, name: str) -> Pool:
    asked = draw(st.integers(0, 12))
    pending = draw(st.lists(amounts(0, 1000), max_size=asked))
    minimum = draw(st.integers(0, 3))
    median = draw(amounts(10, 300))
    return pool(
        name,
        rate=draw(amounts(0.1, 10)),
        price=draw(amounts(0.5, 20)),
        asked=asked,
        pending=pending,
        minimum=minimum,
        maximum=draw(st.integers(minimum, 15)),
        spot=name.startswith("spot"),
        barred=draw(st.booleans()),
        losses=draw(amounts(0, 8)),
        tokens=draw(st.sampled_from((0.0, 250_000.0))),
        reachable=draw(st.booleans()),
        startup=Startup(median, median * draw(amounts(1, 2))),
    )


@st.composite
def loads(draw: st.DrawFn) -> Load:
    rate = draw(amounts(0, 60))
    return Load(
        now=rate,
        newest=draw(amounts(0, 60)),
        newest_deviation=draw(amounts(0.1, 5)),
        ahead=ahead(draw(amounts(0, 60)), draw(amounts(0, 10))),
        backlog_requests=draw(st.sampled_from((0.0, 0.0, 3.0, 500.0))),
        tokens=draw(amounts(0, 2_000_000)),
        idle_seconds=draw(st.sampled_from((0.0, 0.0, 1000.0))),
        busy_share=draw(st.sampled_from((None, 0.2, 0.9))),
    )


@st.composite
def all_settings(draw: st.DrawFn) -> ScalingSettings:
    minimum = draw(st.integers(0, 6))
    return ScalingSettings(
        BOUNDS,
        attainment=draw(st.sampled_from((0.9, 0.99, 0.999))),
        minimum=minimum,
        maximum=draw(st.integers(max(1, minimum), 40)),
        budget_per_hour=draw(st.one_of(st.none(), amounts(1, 200))),
        idle_after_seconds=draw(st.sampled_from((None, 600.0))),
    )


@st.composite
def observations(draw: st.DrawFn, seen: tuple[Seen, ...] = tuple(Seen)) -> Observation:
    sight = draw(st.sampled_from(seen))
    return Observation(
        NOW,
        draw(all_settings()),
        draw(pools()),
        None if sight is Seen.NOTHING else draw(loads()),
        sight,
        Past(
            need=draw(amounts(0, 60)),
            last_up_seconds=draw(st.one_of(st.none(), amounts(NOW - 2000, NOW))),
        ),
        draw(st.one_of(st.none(), st.tuples(st.just("office"), st.integers(0, 8)))),
        draw(st.sampled_from((0.8, 1.0, 1.2))),
        draw(st.sampled_from((Tuning(), Tuning(has_hysteresis=False), Tuning(has_mix=False)))),
        draw(st.booleans()),
    )


def within(observation: Observation, replicas: dict[str, int]) -> None:
    """Pools' and the total's limits, and the budget where it allows the least."""
    stated = observation.settings
    assert sum(replicas.values()) <= stated.maximum
    room = sum(min(each.flavour.maximum, stated.maximum) for each in observation.pools)
    scheduled = observation.scheduled[1] if observation.scheduled else 0
    idle = stated.idle_after_seconds is not None
    least = max(scheduled, 0 if idle else stated.minimum)
    assert sum(replicas.values()) >= min(least, stated.maximum, room)
    lows = sum(each.flavour.minimum for each in observation.pools)
    for each in observation.pools:
        assert replicas[each.name] <= each.flavour.maximum
        if lows <= stated.maximum:
            assert replicas[each.name] >= each.flavour.minimum


@FEW
@given(observations())
def test_limits_are_kept(observation: Observation) -> None:
    within(observation, dict(decide(observation).replicas))


@FEW
@given(observations(seen=(Seen.ALL,)), amounts(1, 60))
def test_the_budget_is_kept_but_for_the_least_that_is_allowed(
    observation: Observation, budget: float
) -> None:
    stated = replace(observation.settings, budget_per_hour=budget)
    decision = decide(replace(observation, settings=stated))
    scheduled = observation.scheduled[1] if observation.scheduled else 0
    cheapest_first = sorted(observation.pools, key=lambda each: each.flavour.price_per_hour)
    least = {each.name: each.flavour.minimum for each in observation.pools}
    missing = max(stated.minimum, scheduled, 1) - sum(least.values())
    for each in cheapest_first:
        more = max(0, min(missing, each.flavour.maximum - least[each.name]))
        least[each.name] += more
        missing -= more
    price = {each.name: each.flavour.price_per_hour for each in observation.pools}
    unavoidable = sum(price[name] * count for name, count in least.items())
    assert decision.cost_per_hour <= max(budget, unavoidable) + 1e-6


@FEW
@given(observations(seen=(Seen.STALE, Seen.PART, Seen.NOTHING)))
def test_missing_data_never_takes_a_replica_away(observation: Observation) -> None:
    observation = replace(observation, settings=replace(observation.settings, budget_per_hour=None))
    decision = decide(observation)
    for each in observation.pools:
        allowed = min(each.asked, each.flavour.maximum)
        total = sum(min(other.asked, other.flavour.maximum) for other in observation.pools)
        if max(total, observation.settings.minimum) + 12 <= observation.settings.maximum:
            assert decision.replicas[each.name] >= allowed


@FEW
@given(observations(), amounts(0, 40))
def test_more_load_never_means_less_capacity(observation: Observation, more: float) -> None:
    load = observation.load
    assume(load is not None)
    assert load is not None
    higher = replace(
        load,
        now=load.now + more,
        newest=load.newest + more,
        ahead=ahead(load.ahead.mean + more, 5.0),
        idle_seconds=0.0,
    )
    lower = replace(load, ahead=ahead(load.ahead.mean, 5.0), idle_seconds=0.0)
    budgetless = replace(observation.settings, budget_per_hour=None)
    first = decide(replace(observation, load=lower, settings=budgetless))
    second = decide(replace(observation, load=higher, settings=budgetless))
    rate = {each.name: each.capacity.requests_per_second for each in observation.pools}

    def carried(replicas: dict[str, int]) -> float:
        return sum(rate[name] * count for name, count in replicas.items())

    assert second.need >= first.need - 1e-6
    if len(observation.pools) == 1:
        assert carried(dict(second.replicas)) >= carried(dict(first.replicas)) - 1e-6


@FEW
@given(observations(), st.randoms(use_true_random=False))
def test_the_order_of_pools_changes_nothing(observation: Observation, random: Random) -> None:
    shuffled = list(observation.pools)
    random.shuffle(shuffled)
    assert decide(replace(observation, pools=tuple(shuffled))) == decide(observation)


@FEW
@given(observations())
def test_the_same_observation_gives_the_same_decision(observation: Observation) -> None:
    assert decide(observation) == decide(replace(observation))


@FEW
@given(observations(seen=(Seen.ALL,)), amounts(0, 599))
def test_after_more_there_are_not_fewer_within_the_hold(observation: Observation, ago: float) -> None:
    """Whatever the load does, but for limits, idleness and a flavour that does not start."""
    observation = replace(
        observation,
        pools=tuple(replace(each, barred=False, pending_seconds=()) for each in observation.pools),
        settings=replace(observation.settings, maximum=200, budget_per_hour=None, idle_after_seconds=None),
        past=Past(last_up_seconds=NOW - ago),
        tuning=Tuning(hold_seconds=600.0),
    )
    asked = {each.name: min(each.asked, each.flavour.maximum) for each in observation.pools}
    assume(sum(asked.values()) <= observation.settings.maximum)
    lows = sum(max(each.flavour.minimum, asked[each.name]) for each in observation.pools)
    assume(lows <= observation.settings.maximum)
    decision = decide(observation)
    assert all(decision.replicas[name] >= count for name, count in asked.items())


@FEW
@given(observations())
def test_what_is_said_is_one_line_and_the_status_has_no_moving_numbers(observation: Observation) -> None:
    decision = decide(observation)
    for text in (decision.sentence, decision.detail):
        assert text
        assert "\n" not in text
        assert len(text) < 1024
    load = observation.load
    if load is not None:
        nearly = replace(load, newest_deviation=load.newest_deviation * 1.0001)
        again = decide(replace(observation, load=nearly, now_seconds=NOW + 1e-3))
        assert (again.sentence == decision.sentence) or again.replicas != decision.replicas


@FEW
@given(observations(seen=(Seen.ALL,)))
def test_one_more_is_never_predicted_to_attain_less(observation: Observation) -> None:
    decision = decide(observation)
    for other in decision.alternatives:
        if other.name == "one more":
            assert other.attainment >= decision.attainment
            assert other.cost_per_hour > decision.cost_per_hour
        if other.name == "one fewer":
            assert other.attainment <= decision.attainment
            assert other.cost_per_hour < decision.cost_per_hour


@examples(max_examples=25)
@given(st.lists(amounts(0, 60), min_size=5, max_size=40))
def test_replicas_do_not_turn_twice_within_the_hold(rates: list[float]) -> None:
    """Up, down and up again takes at least the hold, however the load jumps."""
    asked, last_up = 1, None
    needs: list[tuple[float, float]] = []
    ups_and_downs: list[tuple[int, int]] = []
    for step, rate in enumerate(rates):
        now = NOW + 60.0 * step
        needs = [(at, need) for at, need in needs if at > now - 600.0]
        past = Past(need=max((need for _, need in needs), default=0.0), last_up_seconds=last_up)
        seen = Observation(
            now,
            ScalingSettings(BOUNDS),
            (pool(asked=asked),),
            Load(rate, rate, 1.0, ahead(rate, 1.0)),
            past=past,
            tuning=Tuning(hold_seconds=600.0),
        )
        decision = decide(seen)
        needs.append((now, decision.need))
        if decision.total != asked:
            ups_and_downs.append((step, 1 if decision.total > asked else -1))
        if decision.total > asked:
            last_up = now
        asked = decision.total
    for (before, up), (after, down) in pairwise(ups_and_downs):
        if (up, down) == (1, -1):
            assert after - before >= 10

"""One observation to one decision: a plan, the cheapest replicas that carry it, and why they are these."""

from dataclasses import dataclass, replace

from pointsman_autoscaler.decision.decision import Alternative, Decision, Explanation, Reason
from pointsman_autoscaler.decision.limits import Limits, clipped, limits_of
from pointsman_autoscaler.decision.need import NOTHING, Need, need_of
from pointsman_autoscaler.decision.observation import Observation, Pool, Seen
from pointsman_autoscaler.decision.plan import Plan, plan_of
from pointsman_autoscaler.decision.programme import Programme, alone, cheapest, most
from pointsman_autoscaler.decision.saturation import token_need
from pointsman_autoscaler.decision.wording import detail, sentence

# Nobody can promise more than this from what was seen.
_SUREST = 0.9999
# So near is as much: needs are sums of rounded numbers.
_NEAR = 1e-4


@dataclass(frozen=True, slots=True)
class _Chosen:
    replicas: tuple[int, ...]
    reason: Reason
    holds: frozenset[Reason]


def decide(observation: Observation) -> Decision:
    """Pure: the same observation, its pools in any order, gives the same decision."""
    pools = tuple(sorted(observation.pools, key=lambda pool: pool.name))
    limits = limits_of(observation, pools)
    if observation.load is None or observation.seen is Seen.NOTHING:
        return _blind(observation, pools, limits)
    if pools != observation.pools:
        observation = replace(observation, pools=pools)
    need = need_of(observation)
    if limits.is_idle:
        need = replace(need, requests_per_second=0.0)
    plan = plan_of(observation, pools, limits, need)
    chosen = _chosen(observation, plan, limits, need)
    return _decision(observation, plan, need, chosen)


def _chosen(observation: Observation, plan: Plan, limits: Limits, need: Need) -> _Chosen:
    asked = tuple(pool.asked for pool in plan.pools)
    if limits.is_idle and observation.seen is Seen.ALL:
        replicas = _solved(plan.needed.with_rows(()))[0]
        reason = limits.least if sum(replicas) > sum(limits.lows) or limits.total_low else Reason.IDLE
        return _Chosen(replicas, reason, frozenset())
    wanted, lacking = _solved(plan.needed)
    replicas = _solved(plan.held)[0]
    load_alone = plan.needed.with_rows(plan.needed.rows[:1])
    is_enough = lacking or load_alone.carries(replicas) or observation.seen is not Seen.ALL
    if not (is_enough and load_alone.is_allowed(replicas)):
        # What holds does not fit the limits any more, or the load: they decide.
        replicas = wanted
    holds = {_why_held(observation)} if replicas != wanted and sum(replicas) >= sum(wanted) else set()
    replicas = _make_before_break(plan, need, replicas, asked)
    if plan.pools and not any(
        pool.capacity.reachable and rate > 0 for pool, rate in zip(plan.pools, plan.rates, strict=True)
    ):
        return _Chosen(replicas, Reason.UNREACHABLE, frozenset(holds))
    if lacking:
        return _Chosen(replicas, _binding_limit(plan, limits), frozenset(holds))
    if holds:
        return _Chosen(replicas, next(iter(holds)), frozenset(holds))
    return _Chosen(replicas, _why(plan, limits, need, wanted), frozenset())


def _solved(programme: Programme) -> tuple[tuple[int, ...], bool]:
    """The cheapest that carries the rows; where limits do not let it, without the hedge; and then the most
    that they let, which is said."""
    found = cheapest(programme)
    if found is None and len(programme.rows) > 1:
        found = cheapest(programme.with_rows(programme.rows[:1]))
    return (found, False) if found is not None else (most(programme), True)


def _make_before_break(
    plan: Plan, need: Need, replicas: tuple[int, ...], asked: tuple[int, ...]
) -> tuple[int, ...]:
    """What is given up for others stays until these are ready, as far as it is needed and limits let it."""
    if all(count >= had for count, had in zip(replicas, asked, strict=True)):
        return replicas
    ready = [min(pool.ready, count) for pool, count in zip(plan.pools, replicas, strict=True)]
    now = sum(rate * pool.ready for rate, pool in zip(plan.rates, plan.pools, strict=True))
    missing = min(need.requests_per_second, now) - sum(
        rate * count for rate, count in zip(plan.rates, ready, strict=True)
    )
    kept = list(replicas)
    for place in sorted(range(len(kept)), key=lambda place: -plan.rates[place]):
        while (
            missing > _NEAR * need.requests_per_second
            and kept[place] < asked[place]
            and ready[place] < plan.pools[place].ready
        ):
            kept[place] += 1
            ready[place] += 1
            missing -= plan.rates[place]
    together = tuple(kept)
    if together == replicas or plan.needed.is_allowed(together):
        return together
    return asked if plan.needed.is_allowed(asked) and plan.needed.carries(asked) else replicas


def _why_held(observation: Observation) -> Reason:
    if observation.seen is Seen.PART:
        return Reason.PARTLY_BLIND
    return Reason.STALE if observation.seen is Seen.STALE else Reason.HELD


def _binding_limit(plan: Plan, limits: Limits) -> Reason:
    """Which limit would let it be done if it were not there."""
    first = plan.needed.with_rows(plan.needed.rows[:1])
    if limits.budget is not None and cheapest(replace(first, budget=None)) is not None:
        return Reason.BUDGET
    wide = tuple(1_000_000 for _ in plan.pools)
    if not wide or cheapest(replace(first, budget=None, highs=wide)) is not None:
        return Reason.QUOTA
    return Reason.MAXIMUM


def _why(plan: Plan, limits: Limits, need: Need, wanted: tuple[int, ...]) -> Reason:
    """Which of what is asked the replicas are for."""
    programme = plan.needed
    if sum(wanted) == programme.total_low > sum(programme.lows):
        free = replace(programme, total_low=sum(programme.lows))
        if sum(wanted) > sum(_solved(free)[0]):
            return limits.least
    if programme.total_low == sum(wanted) == sum(programme.lows):
        return limits.least if sum(wanted) else Reason.LOAD
    if plan.is_hedged and cheapest(programme.with_rows(programme.rows[:-1])) != wanted:
        return Reason.SPOT_HEDGE
    if len(programme.rows) > 1 and cheapest(programme.with_rows(programme.rows[:1])) != wanted:
        return Reason.SATURATION
    return Reason.BURST if need.is_burst else Reason.LOAD


def _decision(observation: Observation, plan: Plan, need: Need, chosen: _Chosen) -> Decision:
    replicas = chosen.replicas
    load = observation.load

    def explain(decision: Decision) -> Explanation:
        alternatives = _alternatives(plan, need, replicas)
        is_exposed = plan.is_exposed and _uses_spot(plan, replicas)
        said = sentence(decision, observation, plan.barred, is_exposed)
        return Explanation(said, detail(decision, alternatives, need, plan.rates, plan.pools), alternatives)

    return Decision(
        at_seconds=observation.now_seconds,
        replicas={pool.name: count for pool, count in zip(plan.pools, replicas, strict=True)},
        reason=chosen.reason,
        binding=_binding(plan, replicas),
        attainment=_attainment(plan, need, replicas),
        cost_per_hour=plan.needed.price(replicas),
        need=need.requests_per_second,
        need_tokens=token_need(load.tokens) if load is not None else 0.0,
        holds=chosen.holds,
        explain=explain,
    )


def _uses_spot(plan: Plan, replicas: tuple[int, ...]) -> bool:
    return any(count and pool.flavour.is_spot for pool, count in zip(plan.pools, replicas, strict=True))


def _binding(plan: Plan, replicas: tuple[int, ...]) -> str:
    """What keeps a replica from more, of the pool that carries most."""
    carries = [rate * count for rate, count in zip(plan.rates, replicas, strict=True)]
    if not carries:
        return ""
    return plan.pools[carries.index(max(carries))].capacity.binding


def _attainment(plan: Plan, need: Need, replicas: tuple[int, ...]) -> float:
    """How likely the load ahead is within what they carry."""
    carried = plan.carried(replicas)
    if need.ahead.mean <= NOTHING:
        return _SUREST
    return min(need.ahead.probability_below(carried), _SUREST) if carried > 0 else 0.0


def _alternatives(plan: Plan, need: Need, replicas: tuple[int, ...]) -> tuple[Alternative, ...]:
    """One fewer, one more, and each pool by itself."""
    pools, programme = plan.pools, plan.needed
    by_value = sorted(
        (place for place in range(len(pools)) if plan.rates[place] > 0),
        key=lambda place: pools[place].flavour.price_per_hour / plan.rates[place],
    )
    others: dict[tuple[int, ...], str] = {}
    for place in reversed(by_value):
        if replicas[place] > programme.lows[place]:
            others.setdefault(_with(replicas, place, replicas[place] - 1), "one fewer")
            break
    for place in by_value:
        if replicas[place] < programme.highs[place]:
            others.setdefault(_with(replicas, place, replicas[place] + 1), "one more")
            break
    if len(pools) > 1:
        for_load = programme.with_rows(programme.rows[:1])
        for place in by_value:
            found = alone(for_load, place)
            if found is not None and found != replicas:
                others.setdefault(found, f"{pools[place].name} alone")
    return tuple(
        Alternative(
            name,
            {pool.name: count for pool, count in zip(pools, each, strict=True)},
            _attainment(plan, need, each),
            programme.price(each),
        )
        for each, name in others.items()
    )


def _with(replicas: tuple[int, ...], place: int, count: int) -> tuple[int, ...]:
    return (*replicas[:place], count, *replicas[place + 1 :])


def _blind(observation: Observation, pools: tuple[Pool, ...], limits: Limits) -> Decision:
    """Nothing is seen: what is asked stays, within the limits of numbers; no budget takes away unseen."""
    asked = tuple(pool.asked for pool in pools)
    replicas = clipped(pools, asked, limits)

    def explain(decision: Decision) -> Explanation:
        said = sentence(decision, observation, frozenset())
        return Explanation(said, said)

    return Decision(
        at_seconds=observation.now_seconds,
        replicas={pool.name: count for pool, count in zip(pools, replicas, strict=True)},
        reason=Reason.BLIND,
        binding="",
        attainment=0.0,
        cost_per_hour=sum(
            pool.flavour.price_per_hour * count for pool, count in zip(pools, replicas, strict=True)
        ),
        need=0.0,
        need_tokens=0.0,
        holds=frozenset({Reason.BLIND}),
        explain=explain,
    )

"""The programme of one observation: what its pools must carry, and what holds them where they are."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman_autoscaler.decision.hedge import domains, meanwhile, needs_hedge
from pointsman_autoscaler.decision.limits import Limits
from pointsman_autoscaler.decision.need import Need, rate_of, risk
from pointsman_autoscaler.decision.observation import Observation, Pool, Seen
from pointsman_autoscaler.decision.programme import Programme, Row, cheapest
from pointsman_autoscaler.decision.room import room_rows
from pointsman_autoscaler.decision.saturation import token_need
from pointsman_autoscaler.decision.supply import late, stuck

# Needs of several flavours are rounded up to steps of half a per cent: the same programme is worked out once.
_MANY = 2
_STEPS = 1 / math.log(1.005)
# Late replicas of a pool without substitute are asked for again, but no more than a quarter of what is
# needed, and one: where nothing starts, asking for ever more helps nobody.
_AGAIN = 0.25
# Near to what is needed: a quarter more and one replica. That far the load of ten minutes is from the next in
# one of twenty (ServeGen, m-large).
_NEAR = 1.25
# Beside a hedge a replica goes when less than that share of the others would do: what one serves is known no
# better, and what is kept for a loss costs no less for coming and going.
_SURELY = 1.03
# Who costs more than twice as much for each request is slow, too, and gets as many requests as the others.
# It comes and goes with each ripple of the load, and costs more than it saves (simulated: two flavours,
# m-large), but where it saves a fifth: one of them alone, for little load.
_DEAR, _WORTH_MIXING = 2.0, 0.8
# Whoever grows one small replica at a time must not end with many of them in place of a few large ones.
_WORTH = 0.9


@dataclass(frozen=True, slots=True)
class Plan:
    """What the load needs, and the programme with and without what holds replicas."""

    pools: tuple[Pool, ...]
    rates: tuple[float, ...]
    """Requests a second of one replica of each pool, trimmed."""
    lost: tuple[int, ...]
    """Late replicas of each pool, which carry nothing."""
    needed: Programme
    held: Programme
    is_hedged: bool
    is_exposed: bool
    """Nothing stands by for a loss of spot that needs it: there is room for the windows that one spoils."""
    barred: frozenset[str]

    def carried(self, replicas: Sequence[int]) -> float:
        """Requests a second that keep the bounds."""
        if any(self.lost):
            replicas = [max(0, count - lost) for count, lost in zip(replicas, self.lost, strict=True)]
        return math.fsum(map(operator.mul, self.rates, replicas))


def plan_of(observation: Observation, pools: tuple[Pool, ...], limits: Limits, need: Need) -> Plan:
    """Pools in the order of the programme's columns. Flavours that do not start, or were lost, are passed
    over where others can carry the load."""
    barred = frozenset(pool.name for pool in pools if pool.barred or stuck(pool))
    if barred:
        plan = _plan(observation, pools, limits, need, barred)
        if cheapest(plan.needed.with_rows(plan.needed.rows[:1])) is not None:
            return plan
    return _plan(observation, pools, limits, need, frozenset())


def _plan(
    observation: Observation, pools: tuple[Pool, ...], limits: Limits, need: Need, barred: frozenset[str]
) -> Plan:
    rates = tuple(rate_of(observation, pool) for pool in pools)
    is_seen = observation.seen is Seen.ALL
    highs = tuple(
        max(low, min(high, pool.ready if is_seen else pool.asked)) if pool.name in barred else high
        for pool, low, high in zip(pools, limits.lows, limits.highs, strict=True)
    )
    lost = tuple(
        0 if pool.name in barred else _asked_again(pool, rate, need)
        for pool, rate in zip(pools, rates, strict=True)
    )
    load = observation.load
    tokens = _step_up(token_need(load.tokens), len(pools)) if load is not None else 0.0
    rate_needed = _step_up(need.requests_per_second, len(pools))
    hedge = _hedge_rows(observation, pools, rates, need)
    now = tuple(pool.asked for pool in pools)
    needed = Programme(
        prices=tuple(pool.flavour.price_per_hour for pool in pools),
        switch=tuple(_switch_price(observation, pool) for pool in pools),
        now=now,
        lows=limits.lows,
        highs=highs,
        rows=(),
        total_low=limits.total_low if barred else min(limits.total_low, sum(highs)),
        total_high=limits.total_high,
        budget=limits.budget,
    )
    needed = needed.with_rows(
        (_load_row(rates, lost, rate_needed), *room_rows(needed, pools, rates, tokens), *hedge)
    )
    if is_seen and len(pools) > 1 and not (observation.tuning.has_mix and domains(pools)):
        needed = _frugal(needed, pools, rates, observation.tuning.has_mix)
        highs = needed.highs
    is_exposed = False
    if hedge and observation.may_be_exposed:
        bare = needed.with_rows(needed.rows[: -len(hedge)])
        if _worth_it(bare, needed) is bare:
            needed, hedge, is_exposed = bare, (), True
    held = needed
    if observation.tuning.has_hysteresis:
        past = observation.past
        reached = math.fsum(
            rate * max(0, pool.asked - gone) for rate, pool, gone in zip(rates, pools, lost, strict=True)
        )
        # What was needed lately is kept, but never brought back: that would be a second reason to grow.
        near = need.requests_per_second * _NEAR + max(rates, default=0.0)
        kept = max(past.need, min(past.calm_need, near)) * (_SURELY if hedge else 1.0)
        kept = max(rate_needed, min(kept, reached))
        held_tokens = math.fsum(pool.tokens * pool.asked for pool in pools)
        kept_tokens = max(tokens, min(past.tokens, held_tokens))
        there = tuple(max(0, pool.asked - gone) for pool, gone in zip(pools, lost, strict=True))
        kept_hedge = tuple(_kept(row, kept / rate_needed if rate_needed > 0 else 1.0, there) for row in hedge)
        held = needed.with_rows(
            (_load_row(rates, lost, kept), *room_rows(needed, pools, rates, kept_tokens), *kept_hedge)
        )
        if _rose_within(observation, observation.tuning.hold_seconds):
            held = _growing(held, now, highs)
        elif hedge or _rose_within(observation, observation.tuning.calm_seconds):
            # Spot beside what must survive its loss: mixes that cost nearly the same would come and go.
            held = _worth_it(held, _one_way(held, now, highs))
    if observation.seen is not Seen.ALL:
        held = _not_below(held, now, highs)
    return Plan(pools, rates, lost, needed, held, bool(hedge), is_exposed, barred)


def _load_row(rates: tuple[float, ...], lost: tuple[int, ...], need: float) -> Row:
    """What must be carried, in requests a second."""
    return Row(rates, need + math.fsum(map(operator.mul, rates, lost)))


def _hedge_rows(
    observation: Observation, pools: Sequence[Pool], rates: tuple[float, ...], need: Need
) -> tuple[Row, ...]:
    expected = _step_up(need.ahead.quantile(0.5), len(pools))
    rows = []
    for domain in domains(pools):
        left = tuple(
            0.0 if place in domain else meanwhile(pools[place], rate) for place, rate in enumerate(rates)
        )
        if any(left) and needs_hedge(pools, domain, risk(observation)):
            rows.append(Row(left, expected))
    return tuple(rows)


def _kept(row: Row, share: float, there: tuple[int, ...]) -> Row:
    """What must be left when a domain is lost is kept like what is needed, as far as it is there."""
    carried = math.fsum(each * count for each, count in zip(row.each, there, strict=True))
    return replace(row, least=max(row.least, min(row.least * share, carried)))


def _switch_price(observation: Observation, pool: Pool) -> float:
    """A start is paid for before it serves: its price, over the time in which a better mix must earn it."""
    share = pool.flavour.startup.p50_seconds / observation.tuning.amortised_seconds
    return pool.flavour.price_per_hour * share


def _asked_again(pool: Pool, rate: float, need: Need) -> int:
    missing = late(pool)
    if not missing:
        return 0
    wanted = need.requests_per_second / rate if rate > 0 else 0.0
    return min(missing, 1 + math.floor(_AGAIN * wanted))


def _frugal(
    programme: Programme, pools: Sequence[Pool], rates: tuple[float, ...], has_mix: bool
) -> Programme:
    """Flavours that are dear for what they carry do not grow, but stay while they are of use; unless the load
    needs them, or they save enough.
    """
    usable = [place for place, rate in enumerate(rates) if rate > 0 and programme.highs[place] > 0]
    if not usable:
        return programme
    each = {place: pools[place].flavour.price_per_hour / rates[place] for place in usable}
    first = min(usable, key=lambda place: (each[place], pools[place].name))
    grows = {place for place in usable if has_mix and each[place] <= _DEAR * each[first]} | {first}
    highs = tuple(
        high if place in grows else max(low, min(high, pools[place].asked))
        for place, (low, high) in enumerate(zip(programme.lows, programme.highs, strict=True))
    )
    frugal = programme.between(programme.lows, highs)
    without, with_them = cheapest(frugal), cheapest(programme)
    if without is None:
        return programme
    saves = with_them is not None and programme.price(with_them) < _WORTH_MIXING * programme.price(without)
    return programme if saves and has_mix else frugal


def _rose_within(observation: Observation, seconds: float) -> bool:
    rose = observation.past.last_up_seconds
    return rose is not None and 0 <= observation.now_seconds - rose < seconds


def _growing(programme: Programme, now: tuple[int, ...], highs: tuple[int, ...]) -> Programme:
    """No pool shrinks; where another mix is worth it, its flavours grow beside what is there."""
    kept = _not_below(programme, now, highs)
    if _worth_it(programme, kept) is kept:
        return kept
    towards = _not_below(kept, cheapest(programme) or now, highs)
    return towards if cheapest(towards) is not None else kept


def _worth_it(free: Programme, one_way: Programme) -> Programme:
    """Without flavours that change places, unless that saves a tenth."""
    replicas, best = cheapest(one_way), cheapest(free)
    if replicas is None or (best is not None and free.price(best) < _WORTH * free.price(replicas)):
        return free
    return one_way


def _one_way(programme: Programme, now: tuple[int, ...], highs: tuple[int, ...]) -> Programme:
    """Replicas become more, or fewer, but no flavour takes another's place: mixes would come and go with the
    load."""
    if not programme.carries(now):
        return _not_below(programme, now, highs)
    lower = tuple(
        max(low, min(count, high)) for low, count, high in zip(programme.lows, now, highs, strict=True)
    )
    return programme.between(programme.lows, lower)


def _not_below(programme: Programme, now: tuple[int, ...], highs: tuple[int, ...]) -> Programme:
    """No pool shrinks, but to its own limits."""
    lows = tuple(
        max(low, min(count, high)) for low, count, high in zip(programme.lows, now, highs, strict=True)
    )
    return programme.between(lows, programme.highs)


def _step_up(amount: float, pools: int) -> float:
    """The next step of half a per cent, where the programme is a large one."""
    if pools < _MANY or amount <= 0:
        return max(0.0, amount)
    return math.exp(math.ceil(math.log(amount) * _STEPS - 1e-6) / _STEPS)

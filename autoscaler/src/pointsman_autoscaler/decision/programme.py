"""The small integer programme of a mix: which replicas are cheapest, of those that carry the load."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

# So much less than what is asked for is rounding: a share of it, and requests a second, tokens or money.
_SHARE, _ROUNDING = 1e-5, 1e-9
# Mixes that are looked at one by one; more go to HiGHS, which takes some milliseconds.
_MOST_LOOKED_AT = 256
# Among mixes that cost the same, the one that changes least: a change costs a thousandth of a replica.
_CHANGE = 1e-3


@dataclass(frozen=True, slots=True)
class Row:
    """Σ of `each` times replicas is at least `least`."""

    each: tuple[float, ...]
    least: float


@dataclass(frozen=True, slots=True)
class Programme:
    """Columns are pools, in one order everywhere. Prices an hour; `switch` is what a start costs, as a price
    an hour over the time in which it must pay."""

    prices: tuple[float, ...]
    switch: tuple[float, ...]
    now: tuple[int, ...]
    lows: tuple[int, ...]
    highs: tuple[int, ...]
    rows: tuple[Row, ...]
    total_low: int
    total_high: int
    budget: float | None

    def with_rows(self, rows: tuple[Row, ...]) -> "Programme":
        """The same that must carry these."""
        return Programme(
            self.prices,
            self.switch,
            self.now,
            self.lows,
            self.highs,
            rows,
            self.total_low,
            self.total_high,
            self.budget,
        )

    def between(self, lows: tuple[int, ...], highs: tuple[int, ...]) -> "Programme":
        """The same within other limits of pools."""
        return Programme(
            self.prices,
            self.switch,
            self.now,
            lows,
            highs,
            self.rows,
            self.total_low,
            self.total_high,
            self.budget,
        )

    def cost(self, replicas: tuple[int, ...]) -> float:
        """What is minimised."""
        cost = 0.0
        for pool, count in enumerate(replicas):
            cost += self.cost_of(pool, count)
        return cost

    def cost_of(self, pool: int, count: int) -> float:
        """The part of it that so many of one pool cost."""
        price, more = self.prices[pool], count - self.now[pool]
        return price * count + self.switch[pool] * (more if more > 0 else 0) + _CHANGE * price * abs(more)

    def price(self, replicas: tuple[int, ...]) -> float:
        """What they cost an hour."""
        cost = 0.0
        for price, count in zip(self.prices, replicas, strict=True):
            cost += price * count
        return cost

    def is_allowed(self, replicas: tuple[int, ...]) -> bool:
        """Whether it keeps all limits; not whether it carries the load."""
        within = all(
            low <= count <= high for low, count, high in zip(self.lows, replicas, self.highs, strict=True)
        )
        return within and self.total_low <= sum(replicas) <= self.total_high and self.is_paid_for(replicas)

    def is_paid_for(self, replicas: tuple[int, ...]) -> bool:
        """Whether the budget is enough."""
        return self.budget is None or self.price(replicas) <= self.budget + _ROUNDING

    def carries(self, replicas: tuple[int, ...]) -> bool:
        """Whether it keeps all rows."""
        return all(
            sum(map(float.__mul__, row.each, map(float, replicas))) >= row.least * (1 - _SHARE) - _ROUNDING
            for row in self.rows
        )


@lru_cache(maxsize=8192)
def cheapest(programme: Programme) -> tuple[int, ...] | None:
    """The cheapest replicas by pool; None where limits do not let them carry what the rows ask."""
    if not programme.prices:
        return () if programme.total_low <= 0 and all(row.least <= 0 for row in programme.rows) else None
    highs = _useful_highs(programme)
    grid = math.prod(high - low + 1 for low, high in zip(programme.lows[:-1], highs[:-1], strict=True))
    if grid > _MOST_LOOKED_AT:
        return by_solver(programme)
    return by_looking(programme, highs)


def by_looking(programme: Programme, highs: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
    """Looks at mixes one by one, from the fewest of the first pools on."""
    return _Search(programme, highs or _useful_highs(programme)).cheapest()


class _Search:
    """Of the last pool the least is taken that the others leave to it. Replicas cost more the more there are:
    mixes that already cost as much as the best so far are passed over."""

    __slots__ = (
        "_best",
        "_best_cost",
        "_columns",
        "_counts",
        "_highs",
        "_last",
        "_leasts",
        "_programme",
        "_rest",
    )

    def __init__(self, programme: Programme, highs: tuple[int, ...]) -> None:
        self._programme, self._highs = programme, highs
        self._last = last = len(highs) - 1
        self._leasts = [_enough(row) for row in programme.rows]
        self._columns = list(zip(*(row.each for row in programme.rows), strict=True)) or [()] * len(highs)
        # What the pools after each cost at least.
        self._rest = [0.0] * len(highs)
        for pool in range(last, 0, -1):
            self._rest[pool - 1] = self._rest[pool] + programme.cost_of(pool, programme.lows[pool])
        self._counts = [0] * len(highs)
        self._best: tuple[int, ...] | None = None
        self._best_cost = math.inf

    def cheapest(self) -> tuple[int, ...] | None:
        """None where no mix carries what the rows ask."""
        nothing = [0.0] * len(self._leasts)
        if self._last:
            self._look(0, 0, 0.0, nothing)
        else:
            self._complete(0, 0.0, nothing)
        return self._best

    def _look(self, pool: int, others: int, cost: float, carried: list[float]) -> None:
        """At all mixes with so many of the pools before this one: what these cost, and carry of each row."""
        programme, column, rest = self._programme, self._columns[pool], self._rest[pool]
        price, switch, now = programme.prices[pool], programme.switch[pool], programme.now[pool]
        for count in range(programme.lows[pool], self._highs[pool] + 1):
            # As `cost_of` has it, without a call for each mix.
            more = count - now
            each = price * count + switch * (more if more > 0 else 0) + _CHANGE * price * abs(more)
            together = cost + each
            if together + rest >= self._best_cost:
                return
            self._counts[pool] = count
            carries = [had + rate * count for had, rate in zip(carried, column, strict=True)]
            if pool + 1 == self._last:
                self._complete(others + count, together, carries)
            else:
                self._look(pool + 1, others + count, together, carries)

    def _complete(self, others: int, cost: float, carried: list[float]) -> None:
        programme, pool = self._programme, self._last
        last = _least_of(programme, pool, others, self._leasts, carried)
        # Ranges and the least of the last keep all other limits.
        if last is None or others + last > programme.total_high:
            return
        cost += programme.cost_of(pool, last)
        if cost < self._best_cost - _ROUNDING:
            self._counts[pool] = last
            replicas = tuple(self._counts)
            if programme.is_paid_for(replicas):
                self._best, self._best_cost = replicas, cost


def alone(programme: Programme, pool: int) -> tuple[int, ...] | None:
    """The fewest of one pool that suffice beside the fewest of the others; None where none do."""
    lows = (*programme.lows[:pool], 0, *programme.lows[pool + 1 :])
    leasts = [_enough(row) for row in programme.rows]
    carried = [_carried(row.each, lows) for row in programme.rows]
    count = _least_of(programme, pool, sum(lows), leasts, carried)
    if count is None:
        return None
    replicas = (*lows[:pool], count, *lows[pool + 1 :])
    return replicas if programme.is_allowed(replicas) else None


def _enough(row: Row) -> float:
    """What a row asks for, less what is rounding."""
    return row.least * (1 - _SHARE)


def _least_of(
    programme: Programme, pool: int, others: int, leasts: list[float], carried: list[float]
) -> int | None:
    """The fewest of a pool that keep all rows, which ask so much, beside so many others, which carry this;
    None if none do."""
    high, count, wanted = programme.highs[pool], programme.lows[pool], programme.total_low - others
    if wanted > count:
        count = wanted
    for row, least, had in zip(programme.rows, leasts, carried, strict=True):
        missing = least - had
        if missing <= _ROUNDING:
            continue
        each = row.each[pool]
        if each <= 0:
            return None
        # Comparing is cheaper than rounding up, and as many as have been counted suffice mostly.
        if missing > each * count:
            count = max(count, math.ceil(min(missing / each, high + 1) - _ROUNDING))
    return count if count <= high else None


def by_solver(programme: Programme) -> tuple[int, ...] | None:
    """The same by HiGHS. Variables: replicas, then those above and those below what there is now."""
    count = len(programme.prices)
    prices = np.array(programme.prices)
    above, below = np.array(programme.switch) + _CHANGE * prices, _CHANGE * prices
    identity = np.eye(count)
    now = np.array(programme.now, dtype=float)
    constraints = [LinearConstraint(np.hstack([identity, -identity, identity]), now, now)]
    wide = [np.concatenate([np.array(row.each), np.zeros(2 * count)]) for row in programme.rows]
    constraints += [
        LinearConstraint(each, row.least * (1 - _SHARE), np.inf)
        for each, row in zip(wide, programme.rows, strict=True)
    ]
    total = np.concatenate([np.ones(count), np.zeros(2 * count)])
    constraints.append(LinearConstraint(total, programme.total_low, programme.total_high))
    if programme.budget is not None:
        spent = np.concatenate([prices, np.zeros(2 * count)])
        constraints.append(LinearConstraint(spent, -np.inf, programme.budget))
    answer = milp(
        np.concatenate([prices, above, below]),
        constraints=constraints,
        bounds=Bounds(
            np.concatenate([np.array(programme.lows), np.zeros(2 * count)]),
            np.concatenate([np.array(programme.highs), np.full(2 * count, np.inf)]),
        ),
        integrality=np.concatenate([np.ones(count), np.zeros(2 * count)]),
        options={"mip_rel_gap": 1e-6},
    )
    if answer.x is None:
        return None
    return tuple(round(value) for value in answer.x[:count])


@lru_cache(maxsize=8192)
def most(programme: Programme) -> tuple[int, ...]:
    """What carries most of the first row within the limits, and no more than it asks.

    Greedy from the lows: once by capacity for the money, which is right where money is short, and once by
    capacity, which is right where places are. For few pools that is within a replica of the best. Before all
    else come the fewest that are allowed.
    """
    worth = programme.rows[0].each if programme.rows else (1.0,) * len(programme.lows)

    def for_the_money(pool: int) -> float:
        price = programme.prices[pool]
        return worth[pool] / price if price > 0 else math.inf

    pools = range(len(worth))
    orders = (
        sorted(pools, key=lambda pool: (-for_the_money(pool), -worth[pool], pool)),
        sorted(pools, key=lambda pool: (-worth[pool], -for_the_money(pool), pool)),
        # A budget that pays for no more than the fewest pays for the cheapest of them.
        sorted(pools, key=lambda pool: (programme.prices[pool], -worth[pool], pool)),
    )
    filled = [_fill(programme, worth, order) for order in dict.fromkeys(map(tuple, orders))]
    return max(
        filled,
        key=lambda each: (sum(each) >= programme.total_low, _carried(worth, each), -programme.cost(each)),
    )


def _fill(programme: Programme, worth: tuple[float, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """Takes of each pool in this order what is asked for and what limits leave."""
    replicas = list(programme.lows)
    least = programme.rows[0].least if programme.rows else 0.0
    for pool in order:
        room = min(programme.highs[pool] - replicas[pool], programme.total_high - sum(replicas))
        if programme.budget is not None and programme.prices[pool] > 0:
            left = programme.budget - programme.price(tuple(replicas))
            room = min(room, math.floor(left / programme.prices[pool] + _ROUNDING))
        wanted = programme.total_low - sum(replicas)
        if worth[pool] > 0:
            missing = least * (1 - _SHARE) - _carried(worth, tuple(replicas))
            wanted = max(wanted, math.ceil(min(missing / worth[pool], room) - _ROUNDING))
        replicas[pool] += max(0, min(room, wanted))
    return tuple(replicas)


def _carried(worth: tuple[float, ...], replicas: tuple[int, ...]) -> float:
    carried = 0.0
    for each, count in zip(worth, replicas, strict=True):
        carried += each * count
    return carried


def _useful_highs(programme: Programme) -> tuple[int, ...]:
    """More than this of a pool carries nothing that is asked for."""
    useful = []
    for pool, (low, high) in enumerate(zip(programme.lows, programme.highs, strict=True)):
        if low >= high:
            useful.append(low)
            continue
        wanted = low if low > programme.total_low else programme.total_low
        for row in programme.rows:
            each = row.each[pool]
            # Comparing is cheaper than rounding up, and as many as have been counted suffice mostly.
            if each > 0 and row.least > each * wanted:
                wanted = max(wanted, math.ceil(min(row.least / each, high) - _ROUNDING))
                if wanted >= high:
                    wanted = high
                    break
        if wanted > programme.total_high:
            wanted = programme.total_high
        useful.append(min(wanted, high) if wanted > low else low)
    return tuple(useful)

"""What must fit into caches, as a row of the programme."""

import math
import operator
from collections.abc import Sequence
from dataclasses import replace

from pointsman_autoscaler.decision.observation import Pool
from pointsman_autoscaler.decision.programme import Programme, Row, most
from pointsman_autoscaler.decision.supply import rate_of_cheapest


def room_rows(
    programme: Programme, pools: Sequence[Pool], rates: Sequence[float], tokens: float
) -> tuple[Row, ...]:
    """None at all where caches are not known, or nothing is in them.

    Beyond what is asked already, a slower replica's room counts for less, as what waits for it waits longer:
    full caches are no reason to take the flavour whose memory is the cheapest. They ask for as many tokens as
    limits let them have, rather than for none.
    """
    each = tuple(pool.tokens for pool in pools)
    if tokens <= 0 or not all(room > 0 for room in each):
        return ()
    there = math.fsum(map(operator.mul, each, programme.now))
    # Of those to be had: the others cannot take what waits.
    offers = zip(programme.prices, rates, programme.highs, programme.now, strict=True)
    usual = rate_of_cheapest((price, rate) for price, rate, high, now in offers if high > now)
    if tokens <= there or usual <= 0:
        return (_within_limits(programme, Row(each, tokens)),)
    more = tuple(room * min(1.0, rate / usual) for room, rate in zip(each, rates, strict=True))
    slow = there - math.fsum(map(operator.mul, more, programme.now))
    return (_within_limits(programme, Row(more, tokens - slow)),)


def _within_limits(programme: Programme, row: Row) -> Row:
    room = programme.total_high - sum(programme.lows)
    highs = zip(programme.lows, programme.highs, row.each, strict=True)
    if programme.budget is None and any(
        each * min(high, low + room) >= row.least for low, high, each in highs
    ):
        return row
    replicas = most(programme.with_rows((row,)))
    return replace(row, least=min(row.least, math.fsum(map(operator.mul, row.each, replicas))))

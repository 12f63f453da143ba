"""Spot capacity is lost all at once: what is left must carry the expected load, if that happens often."""

from collections.abc import Sequence

from pointsman_autoscaler.decision.observation import Pool
from pointsman_autoscaler.decision.supply import startup_quantile

_SECONDS_OF_DAY = 86_400.0
# A loss spoils the windows of five minutes that it touches.
WINDOW_SECONDS = 300.0
# Of the windows that may miss their bounds, losses may spoil so many; load that came unforeseen the rest.
_SHARE_OF_LOSSES = 0.75
# Until others are ready, those that are left may work half the way to their saturation: queues and batches of
# minutes do not grow to what they become in hours. Simulated: there one in twelve such gaps spoils a window,
# at nine tenths of the saturation every second one.
_MEANWHILE = 0.5


def domains(pools: Sequence[Pool]) -> tuple[tuple[int, ...], ...]:
    """Places of pools that are lost together, one tuple a domain; only spot is lost."""
    together: dict[str, list[int]] = {}
    for place, pool in enumerate(pools):
        if pool.flavour.is_spot:
            together.setdefault(pool.flavour.domain or pool.name, []).append(place)
    return tuple(tuple(places) for _, places in sorted(together.items()))


def needs_hedge(pools: Sequence[Pool], domain: tuple[int, ...], attainment: float) -> bool:
    """Whether losses of this domain alone would spoil more windows than they may."""
    return spoiled(pools, domain) > may_be_spoiled(attainment)


def may_be_spoiled(attainment: float) -> float:
    """The share of windows that losses of spot capacity may cost."""
    return _SHARE_OF_LOSSES * (1 - attainment)


def spoiled(pools: Sequence[Pool], domain: tuple[int, ...]) -> float:
    """The share of windows that losses of this domain spoil where nothing stands by."""
    losses = max(pools[place].losses_per_day for place in domain)
    others = [pool for place, pool in enumerate(pools) if place not in domain]
    recovery = min(
        (startup_quantile(pool.flavour.startup, 0.9) for pool in others or [pools[at] for at in domain]),
    )
    return losses * (recovery + WINDOW_SECONDS) / _SECONDS_OF_DAY


def meanwhile(pool: Pool, rate: float) -> float:
    """Requests a second of one replica for as long as a start takes; `rate` is what it serves for ever."""
    planned, saturation = pool.capacity.requests_per_second, pool.capacity.saturation_per_second
    if planned <= 0 or saturation <= planned:
        return rate
    return rate * (1 + _MEANWHILE * (saturation / planned - 1))

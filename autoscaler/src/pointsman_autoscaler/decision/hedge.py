"""Spot capacity is lost all at once: what is left must carry the expected load, if that happens often."""

from collections.abc import Sequence

from pointsman_autoscaler.decision.observation import Pool
from pointsman_autoscaler.decision.supply import startup_quantile

_SECONDS_OF_DAY = 86_400.0
# A loss spoils the windows of five minutes that it touches.
_WINDOW_SECONDS = 300.0
# Of the windows that may miss their bounds, losses may spoil so many; load that came unforeseen the rest.
_SHARE_OF_LOSSES = 0.5


def domains(pools: Sequence[Pool]) -> tuple[tuple[int, ...], ...]:
    """Places of pools that are lost together, one tuple a domain; only spot is lost."""
    together: dict[str, list[int]] = {}
    for place, pool in enumerate(pools):
        if pool.flavour.is_spot:
            together.setdefault(pool.flavour.domain or pool.name, []).append(place)
    return tuple(tuple(places) for _, places in sorted(together.items()))


def needs_hedge(pools: Sequence[Pool], domain: tuple[int, ...], attainment: float) -> bool:
    """Whether losses of this domain alone would spoil more windows than they may."""
    losses = max(pools[place].losses_per_day for place in domain)
    others = [pool for place, pool in enumerate(pools) if place not in domain]
    recovery = min(
        (startup_quantile(pool.flavour.startup, 0.9) for pool in others or [pools[at] for at in domain]),
    )
    spoiled = losses * (recovery + _WINDOW_SECONDS) / _SECONDS_OF_DAY
    return spoiled > _SHARE_OF_LOSSES * (1 - attainment)

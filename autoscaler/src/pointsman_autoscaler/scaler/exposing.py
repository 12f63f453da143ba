"""When spot may go without a hedge: while its losses cost no more windows than the promise leaves."""

from collections.abc import Sequence

from pointsman_autoscaler.decision.hedge import WINDOW_SECONDS, domains, may_be_spoiled, meanwhile, spoiled
from pointsman_autoscaler.decision.observation import Pool

# A change of the mix costs starts and calm: it must be worth this long.
_OPEN_SECONDS = 3600.0
# Windows are not saved for longer than a day.
_MOST_SECONDS = 86_400.0
# So much less than the load is still carried, as far as anybody can tell from one look.
_CARRIED = 0.9


class Exposing:
    """Saves a share of the windows that may be missed, and spends them as losses are to be expected.

    A window that was saved is spent as likely as one is spoiled: by the rate of losses that was seen, for as
    long as what is left could not carry the load. Nothing is spent before it was saved, and nothing once more
    windows were missed, for whatever reason, than the promise allows.
    """

    def __init__(self) -> None:
        self._saved = 0.0
        self._now: float | None = None
        self._is_open = False

    def may(
        self,
        now_seconds: float,
        pools: Sequence[Pool],
        load: float,
        attainment: float,
        *,
        windows: int,
        missed: int,
    ) -> bool:
        """Looks at what is ready; `load` in requests a second; `missed` of the `windows` that were judged."""
        elapsed = 0.0 if self._now is None else max(0.0, now_seconds - self._now)
        self._now = now_seconds
        income = may_be_spoiled(attainment) / WINDOW_SECONDS
        losses = {domain: spoiled(pools, domain) for domain in domains(pools)}
        price = sum(losses.values()) / WINDOW_SECONDS
        spent = sum(lost for domain, lost in losses.items() if _is_exposed(pools, domain, load))
        self._saved += elapsed * (income - spent / WINDOW_SECONDS)
        self._saved = min(max(self._saved, -_MOST_SECONDS * income), _MOST_SECONDS * income)
        if missed > (1 - attainment) * windows or self._saved <= 0:
            self._is_open = False
        elif self._saved >= min(_OPEN_SECONDS * price, _MOST_SECONDS * income):
            self._is_open = True
        return self._is_open


def _is_exposed(pools: Sequence[Pool], domain: tuple[int, ...], load: float) -> bool:
    """Whether the load hangs on this domain."""
    if not any(pools[place].ready for place in domain):
        return False
    left = sum(
        pool.ready * meanwhile(pool, pool.capacity.requests_per_second)
        for place, pool in enumerate(pools)
        if place not in domain
    )
    return left < _CARRIED * load

"""Which events were told lately, and whether one more may be. Pure: the clock comes in."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

SAME_SECONDS: Final = 3600.0
"""The same event is not told again within an hour: as long as the API server keeps it (--event-ttl)."""

_MOST: Final = 10_000  # objects and events that are remembered
# What client-go allows one source to say of one object: 25 at once, then one in five minutes.
_BURST: Final = 25
_REFILL_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Telling:
    """How often the event was seen by now. The first time it is told as it is, later as a series."""

    count: int


@dataclass(slots=True)
class _Told:
    at: float
    count: int


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float


class EventMemory:
    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()

    def see(self, name: str, about: str, now: float) -> Telling | None:
        """An event occurred: `name` is its own, `about` the object's uid. None where it is not to be told."""
        told = self._told.get(name)
        if told is not None:
            told.count += 1
            if now - told.at < SAME_SECONDS:
                return None
        if not self._allow(about, now):
            return None
        if told is None:
            told = self._told[name] = _Told(now, 1)
            _shorten(self._told, self._most)
        told.at = now
        self._told.move_to_end(name)
        return Telling(told.count)

    def forget(self, name: str) -> None:
        """It could not be told: the next occurrence is told again."""
        self._told.pop(name, None)

    def _allow(self, about: str, now: float) -> bool:
        allowance = self._allowances.get(about)
        if allowance is None:
            allowance = self._allowances[about] = _Allowance(_BURST, now)
            _shorten(self._allowances, self._most)
        allowance.left = min(_BURST, allowance.left + (now - allowance.at) / _REFILL_SECONDS)
        allowance.at = now
        if allowance.left < 1:
            return False
        allowance.left -= 1
        return True


def _shorten(remembered: "OrderedDict[str, _Told] | OrderedDict[str, _Allowance]", most: int) -> None:
    if len(remembered) > most:
        remembered.popitem(last=False)

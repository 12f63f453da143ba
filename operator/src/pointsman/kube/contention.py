"""Whether somebody else keeps changing what we put back. Pure: the clock comes in.

One change by hand is put back. Another controller that wants something else would change it again at once,
and two would write for ever: after a few times the apply is no longer forced, so that the API server's answer
names who owns the field, for a person to decide.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

PUT_BACK_TIMES: Final = 3
"""How often the same intent is forced upon the same object …"""

WITHIN_SECONDS: Final = 600.0
"""… within ten minutes: a person who tries something twice is not a controller."""

_MOST: Final = 10_000


@dataclass(slots=True)
class _History:
    intent: str
    forced_at: list[float] = field(default_factory=list)


class Contention:
    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._histories: OrderedDict[Hashable, _History] = OrderedDict()

    def may_force(self, place: Hashable, intent: str, now: float) -> bool:
        """Whether to force `intent` upon the object at `place`; another intent than before begins afresh."""
        history = self._histories.get(place)
        if history is None or history.intent != intent:
            return True
        history.forced_at = [at for at in history.forced_at if now - at < WITHIN_SECONDS]
        return len(history.forced_at) <= PUT_BACK_TIMES

    def forced(self, place: Hashable, intent: str, now: float) -> None:
        """It was forced: the first time to bring the intent about, later to put it back."""
        history = self._histories.get(place)
        if history is None or history.intent != intent:
            history = self._histories[place] = _History(intent)
        history.forced_at.append(now)
        self._histories.move_to_end(place)
        if len(self._histories) > self._most:
            self._histories.popitem(last=False)

    def forget(self, place: Hashable) -> None:
        """The object is gone."""
        self._histories.pop(place, None)

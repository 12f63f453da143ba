"""Writing state files while something serves: what cannot be written now is said once, and written later."""

from collections.abc import Callable, Container, Hashable

from pointsman.errors import PointsmanError
from pointsman.local.display.terminal import BAD, GOOD, Line, Terminal

AGAIN_SECONDS = 5.0
"""After so long what could not be written is tried again; a person who freed some space looks about then."""

_SUBJECT = "state"


class Keeping:
    """Knows what waits to be written."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._waiting: dict[Hashable, Callable[[], object]] = {}

    @property
    def has_waiting(self) -> bool:
        """Whether `again` has something to do."""
        return bool(self._waiting)

    def keep(self, name: Hashable, write: Callable[[], object]) -> None:
        """Call `write`; if it raises PointsmanError, again later, unless the name is kept anew before."""
        try:
            write()
        except PointsmanError as error:
            if not self._waiting:
                self._terminal.say(Line(BAD, _SUBJECT, str(error)))
            self._waiting[name] = write
        else:
            if self._waiting.pop(name, None) is not None and not self._waiting:
                self._terminal.say(Line(GOOD, _SUBJECT, "everything is written again"))

    def again(self) -> None:
        """Try everything that waits."""
        for name, write in list(self._waiting.items()):
            self.keep(name, write)

    def forget_others(self, kept: Container[Hashable]) -> None:
        """What is gone must not be written later; names that are no tuples are always kept."""
        for name in [name for name in self._waiting if isinstance(name, tuple) and name not in kept]:
            del self._waiting[name]

"""Which minimum a schedule asks for at a time: windows between two cron expressions, in a time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from pointsman.errors import PointsmanError
from pointsman_autoscaler.settings import Minimum


@dataclass(frozen=True, slots=True)
class Window:
    """Whether an entry holds, and from when until when that is so."""

    is_open: bool
    since_seconds: float
    until_seconds: float

    def covers(self, at_seconds: float) -> bool:
        return self.since_seconds <= at_seconds < self.until_seconds


def window(entry: Minimum, at_seconds: float) -> Window:
    """An entry holds where its end comes before its next start.

    Clocks that are set forward or back in summer and autumn: a start or end in the hour that is left out
    happens right after it, one in the hour that comes twice at the first. Raises PointsmanError for an
    expression or a zone that does not exist.
    """
    start, end = _next(entry, entry.start, at_seconds), _next(entry, entry.end, at_seconds)
    return Window(end < start, at_seconds, min(start, end))


def _next(entry: Minimum, expression: str, at_seconds: float) -> float:
    """The first time after `at_seconds`; an expression without any in fifty years is refused."""
    where = f"spec.scaling.schedule[name={entry.name}]"
    try:
        zone = ZoneInfo(entry.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise PointsmanError(
            f"there is no time zone {entry.time_zone}", where=where, todo="name one such as Europe/Berlin"
        ) from None
    try:
        return next(CronSim(expression, datetime.fromtimestamp(at_seconds, zone))).astimezone(UTC).timestamp()
    except (CronSimError, StopIteration):
        raise PointsmanError(
            f'"{expression}" is no time of a calendar',
            where=where,
            todo='write five fields of cron, such as "0 7 * * 1-5"',
        ) from None


class Calendar:
    """The entries of one schedule; remembers each window, so that a look costs nothing within it."""

    def __init__(self, entries: Sequence[Minimum]) -> None:
        """Raises PointsmanError for entries that are no time of a calendar."""
        self._entries = tuple(entries)
        self._windows: list[Window | None] = [window(entry, 0.0) for entry in self._entries]

    def minimum(self, now_seconds: float, ahead_seconds: float) -> tuple[str, int] | None:
        """The largest minimum that holds now, or will when a replica that is asked for now is ready."""
        found: tuple[str, int] | None = None
        for place, entry in enumerate(self._entries):
            known = self._windows[place]
            if known is None or not known.covers(now_seconds):
                known = self._windows[place] = window(entry, now_seconds)
            opens = not known.is_open and known.until_seconds <= now_seconds + ahead_seconds
            if opens:
                # The next thing to come may as well be an end without a start.
                opens = window(entry, known.until_seconds).is_open
            if (known.is_open or opens) and (found is None or entry.replicas > found[1]):
                found = (entry.name, entry.replicas)
        return found

"""Times of a calendar: five fields of cron, and the time zone that they are meant in."""

import re
from typing import ClassVar

from pointsman.api.scalars import Scalar

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_MINUTE = r"0?[0-9]|[1-5][0-9]"
_HOUR = r"0?[0-9]|1[0-9]|2[0-3]"
_DAY = r"0?[1-9]|[12][0-9]|3[01]"
_MONTH = r"0?[1-9]|1[0-2]"
_WEEKDAY = r"0?[0-7]"
_MONTH_NAME = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_WEEKDAY_NAME = r"(?i:sun|mon|tue|wed|thu|fri|sat)"


def _field(*values: str) -> str:
    """A list of values, ranges of them or `*`, each with a step; no range from a name to a number."""
    spans = "|".join(f"({value})(-({value}))?" for value in values)
    item = rf"(\*|{spans})(/0*[1-9][0-9]*)?"
    return f"{item}(,{item})*"


_FIELDS = " ".join(
    (
        _field(_MINUTE),
        _field(_HOUR),
        _field(_DAY),
        _field(_MONTH, _MONTH_NAME),
        _field(_WEEKDAY, _WEEKDAY_NAME),
    )
)
_RANGE = re.compile(r"([0-9]+)-([0-9]+)|([A-Z]+)-([A-Z]+)")


class CronExpression(Scalar):
    """Five fields of cron as Debian reads them: minute, hour, day, month, day of the week."""

    # A server says its pattern when a text does not fit: it is short, and the rules say the rest in words.
    pattern = r"[0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+"
    longest = 100
    looks_like = 'five fields of cron whose ranges go up, such as "0 7 * * 1-5"'
    cel: ClassVar[tuple[str, ...]] = (
        f"self.matches('^{_FIELDS}$')".replace("\\", "\\\\"),
        "self.findAll('[0-9]+-[0-9]+').all(r, int(r.split('-')[0]) <= int(r.split('-')[1]))",
        "self.upperAscii().findAll('[A-Z]+-[A-Z]+').all(r,"
        f" '{' '.join(_MONTHS + _DAYS)}'.indexOf(r.split('-')[0])"
        f" <= '{' '.join(_MONTHS + _DAYS)}'.indexOf(r.split('-')[1]))",
        # The thirtieth of February: plain days in plain months that are all too short.
        "!self.upperAscii().matches('^[^ ]+ [^ ]+ (3[01]([,-]3[01])* (0?2|FEB)"
        "|31(,31)* (0?[2469]|11|FEB|APR|JUN|SEP|NOV)(,(0?[2469]|11|FEB|APR|JUN|SEP|NOV))*) [*][^ ]*$')",
    )

    def _check(self) -> bool:
        return re.fullmatch(_FIELDS, self) is not None and self._ranges_go_up() and self._happens()

    def _ranges_go_up(self) -> bool:
        return all(
            int(low) <= int(high) if low else _place(first) <= _place(last)
            for low, high, first, last in _RANGE.findall(self.upper())
        )

    def _happens(self) -> bool:
        """Whether any month has such a day; one of the week, stated too, is as good."""
        _, _, days, months, weekday = self.upper().split(" ")
        if "*" in days or not weekday.startswith("*"):
            return True
        first = min(_values(days, 31))
        longest = max(_LONGEST_MONTHS[month - 1] for month in _values(months, 12))
        return first <= longest


class TimeZone(Scalar):
    """A name of the tz database. `checks` asks of files whether there is such a zone: an object that is
    stored stays readable wherever zones are not known.
    """

    pattern = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*"
    longest = 64
    looks_like = "a time zone such as Europe/Berlin"
    cel: ClassVar[tuple[str, ...]] = (
        # Without such a zone nobody can say what time it is there.
        "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0 && self != 'Local'",
    )


def _place(name: str) -> int:
    return (_MONTHS + _DAYS).index(name)


def _values(field: str, last: int) -> set[int]:
    """Days or months that a field names; a single one with a step goes on to the last."""
    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        low, _, high = span.partition("-")
        if low == "*":
            low, high = "1", str(last)
        begin = _number(low)
        end = _number(high) if high else begin
        if step and begin == end:
            end = last
        found.update(range(begin, end + 1)[:: int(step or 1)])
    return found


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _MONTHS.index(text) + 1

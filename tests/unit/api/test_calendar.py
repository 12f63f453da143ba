"""What the API takes for times of a calendar is what the autoscaler can act on."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.api.calendar import CronExpression

_NUMBERS = st.integers(0, 62).map(str) | st.sampled_from(["00", "07", "7", "31", "30"])
_NAMES = st.sampled_from(["JAN", "feb", "Apr", "DEC", "sun", "MON", "Sat", "XYZ"])


def _item(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    spans = st.just("*") | values | st.tuples(values, values).map("-".join)
    return st.tuples(spans, st.sampled_from(["", "", "/2", "/40", "/0", "/"])).map("".join)


def _field(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("*") | st.lists(_item(values), min_size=1, max_size=2).map(",".join)


_EXPRESSIONS = st.tuples(
    *[_field(_NUMBERS)] * 3, _field(_NUMBERS | _NAMES), _field(st.integers(0, 8).map(str) | _NAMES)
).map(" ".join)
_SHORT_MONTHS = st.tuples(
    _field(st.sampled_from(["29", "30", "31"])), _field(st.sampled_from(["2", "FEB", "4"]))
)


@settings(max_examples=100)
@given(_EXPRESSIONS | _SHORT_MONTHS.map(lambda pair: f"0 7 {pair[0]} {pair[1]} *"))
def test_what_is_taken_comes_and_what_comes_is_taken(text: str) -> None:
    try:
        CronExpression(text)
        is_taken = True
    except ValueError:
        is_taken = False
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
        comes = True
    except (CronSimError, StopIteration):
        comes = False
    # A range from a name to a number is for those who like riddles.
    assert is_taken == comes or (comes and "-" in text and any(c.isalpha() for c in text)), text

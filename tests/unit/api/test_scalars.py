"""Durations, money, shares, quantities: what is taken, what it means, what is refused."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pointsman.api import Duration, Money, ParameterCount, PositiveDuration, Quantity, Share, Timestamp
from pointsman.api.scalars import IntOrText

DURATIONS = {
    "30s": 30.0,
    "800ms": 0.8,
    "10m": 600.0,
    "1h30m": 5400.0,
    "1.5h": 5400.0,
    "1m0.5s": 60.5,
    "8760h": 8760 * 3600.0,
    "0s": 0.0,
    "1s1s": 2.0,
}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_a_duration_knows_its_seconds_and_keeps_its_text(text: str, seconds: float) -> None:
    duration = Duration(text)
    assert duration.seconds == pytest.approx(seconds)
    assert duration == text


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "1d", "1 s", "1h 30m", "1e3s", "٣s", "8761h", "1s\n", ".5s"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match='must be a duration of at most a year, such as "30s"'):
        Duration(text)


def test_zero_is_a_duration_but_no_timeout() -> None:
    assert Duration("0ms").seconds == 0
    with pytest.raises(ValueError, match="above zero"):
        PositiveDuration("0ms")


@given(st.integers(0, 8759), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert Duration(f"{hours}h{minutes}m{seconds}s").seconds == hours * 3600 + minutes * 60 + seconds


def test_money_is_decimal() -> None:
    assert Money("0.25").decimal * 3 == Decimal("0.75")
    for wrong in ("-1", "1,00", "1.", ".5", "1e3", "", "$1", "1.0000000001"):
        with pytest.raises(ValueError, match="an amount in quotes"):
            Money(wrong)


def test_a_share_is_between_0_and_1() -> None:
    assert [Share(text).decimal for text in ("0", "1", "0.99", "1.000")] == [0, 1, Decimal("0.99"), 1]
    for wrong in ("1.1", "99%", "2", "-0.1", ".5", "00.5"):
        with pytest.raises(ValueError, match="a share from 0 to 1"):
            Share(wrong)


QUANTITIES = {
    "4": Decimal(4),
    "500m": Decimal("0.5"),
    "8Gi": Decimal(8 * 2**30),
    "1.5Ki": Decimal(1536),
    "2k": Decimal(2000),
    "3e2": Decimal(300),
    "3E2": Decimal(300),
    "3E": Decimal(3 * 10**18),
    "7u": Decimal("0.000007"),
    "1Ei": Decimal(2**60),
}


@pytest.mark.parametrize(("text", "amount"), QUANTITIES.items())
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, amount: Decimal) -> None:
    assert Quantity(text).decimal == amount


def test_a_quantity_may_be_a_whole_number() -> None:
    adapter = TypeAdapter(Quantity)
    assert adapter.validate_python(4) == "4"
    assert isinstance(adapter.validate_python(4), Quantity)
    for wrong in (1.5, True, -1, None, "4GB"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_a_parameter_count_is_a_number() -> None:
    assert [ParameterCount(text).number for text in ("270M", "32.8B", "1.1T")] == [
        270_000_000,
        32_800_000_000,
        1_100_000_000_000,
    ]


def test_a_timestamp_has_a_zone() -> None:
    assert Timestamp("2027-01-31T00:00:00Z").instant == datetime(2027, 1, 31, tzinfo=UTC)
    assert Timestamp("2027-01-31T02:00:00.123456789+02:00").instant.astimezone(UTC).hour == 0
    for wrong in ("2027-01-31", "2027-01-31T00:00:00", "2027-02-31T00:00:00Z", "1969-01-01T00:00:00Z"):
        with pytest.raises(ValueError, match="an instant with its zone"):
            Timestamp(wrong)


def test_a_parameter_of_a_pack_is_a_whole_number_or_text() -> None:
    adapter: TypeAdapter[int | str] = TypeAdapter(IntOrText)
    assert [adapter.validate_python(value) for value in (365, "legal", 0)] == [365, "legal", 0]
    for wrong in (1.5, True, None, [1], "x" * 1025, 2**60):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)

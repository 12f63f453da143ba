"""Waiting says what it waited for, and does not wait longer than it must."""

import re

import pytest

from tests.support.polling import eventually, eventually_async


def test_what_was_waited_for_is_returned() -> None:
    looks: list[int] = []

    def third_look() -> str:
        looks.append(1)
        return "ready" if len(looks) == 3 else ""

    assert eventually(third_look, 30, "the third look") == "ready"


def test_giving_up_says_what_was_last_seen() -> None:
    with pytest.raises(AssertionError, match=re.escape("a port: not within 0.05 s; last seen: None")):
        eventually(lambda: None, 0.05, "a port")


def test_a_failed_assertion_is_not_yet() -> None:
    looks: list[int] = []

    def settles() -> bool:
        looks.append(1)
        assert len(looks) >= 2, "one look"
        return True

    assert eventually(settles, 30, "the second look")


def test_other_errors_are_the_tests_own() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 // 0, 30, "never")


async def test_a_coroutine_is_awaited() -> None:
    looks: list[int] = []

    async def second_look() -> int:
        looks.append(1)
        return len(looks) if len(looks) == 2 else 0

    assert await eventually_async(second_look, 30, "the second look") == 2


async def test_giving_up_on_a_coroutine_says_the_assertion() -> None:
    async def never() -> bool:
        raise AssertionError("two engines are left")

    with pytest.raises(AssertionError, match="last seen: two engines are left"):
        await eventually_async(never, 0.05, "no engine")

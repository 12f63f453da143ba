"""Waiting for a condition with a deadline, which is how tests wait here: never for a time."""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar, overload

_Seen = TypeVar("_Seen")

# Short beside what is waited for (a process, an edit taking effect), long beside what a look costs.
INTERVAL_SECONDS = 0.02


def eventually(
    predicate: Callable[[], _Seen],
    within_seconds: float,
    what: str,
    interval_seconds: float = INTERVAL_SECONDS,
) -> _Seen:
    """Look until `predicate` returns something true, and return that.

    An AssertionError of the predicate counts as "not yet"; any other error is the test's. After
    `within_seconds` an AssertionError says what was waited for and what was last seen.
    """
    deadline = time.monotonic() + within_seconds
    pause = threading.Event()
    while True:
        try:
            seen = predicate()
        except AssertionError as error:
            if time.monotonic() >= deadline:
                _give_up(what, within_seconds, str(error) or "a failed assertion", error)
        else:
            if seen:
                return seen
            if time.monotonic() >= deadline:
                _give_up(what, within_seconds, repr(seen), None)
        pause.wait(interval_seconds)


@overload
async def eventually_async(
    predicate: Callable[[], Awaitable[_Seen]], within_seconds: float, what: str
) -> _Seen: ...
@overload
async def eventually_async(predicate: Callable[[], _Seen], within_seconds: float, what: str) -> _Seen: ...
async def eventually_async(
    predicate: Callable[[], Awaitable[_Seen] | _Seen], within_seconds: float, what: str
) -> _Seen:
    """`eventually` on an event loop, for a predicate that may be a coroutine function."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            looked = predicate()
            seen: _Seen = await looked if inspect.isawaitable(looked) else looked
        except AssertionError as error:
            if time.monotonic() >= deadline:
                _give_up(what, within_seconds, str(error) or "a failed assertion", error)
        else:
            if seen:
                return seen
            if time.monotonic() >= deadline:
                _give_up(what, within_seconds, repr(seen), None)
        await asyncio.sleep(INTERVAL_SECONDS)


def _give_up(what: str, within_seconds: float, last: str, cause: BaseException | None) -> NoReturn:
    raise AssertionError(f"{what}: not within {within_seconds:g} s; last seen: {last}") from cause

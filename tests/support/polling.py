"""Waiting for a condition with a deadline, which is how tests wait here: never for a time."""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

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
    patience = _Patience(within_seconds, what)
    pause = threading.Event()
    while True:
        try:
            seen = predicate()
        except AssertionError as error:
            patience.not_yet(str(error) or "a failed assertion", error)
        else:
            if seen:
                return seen
            patience.not_yet(repr(seen))
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
    patience = _Patience(within_seconds, what)
    while True:
        try:
            looked = predicate()
            seen: _Seen = await looked if inspect.isawaitable(looked) else looked
        except AssertionError as error:
            patience.not_yet(str(error) or "a failed assertion", error)
        else:
            if seen:
                return seen
            patience.not_yet(repr(seen))
        await asyncio.sleep(INTERVAL_SECONDS)


class _Patience:
    """Ends with what was last seen, once the deadline is over."""

    def __init__(self, within_seconds: float, what: str) -> None:
        self._within_seconds = within_seconds
        self._what = what
        self._deadline = time.monotonic() + within_seconds

    def not_yet(self, last_seen: str, cause: BaseException | None = None) -> None:
        if time.monotonic() >= self._deadline:
            waited = f"not within {self._within_seconds:g} s"
            raise AssertionError(f"{self._what}: {waited}; last seen: {last_seen}") from cause

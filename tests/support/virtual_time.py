"""An event loop whose clock jumps to the next thing to do: hours of waiting in milliseconds.

Only for code that waits by asyncio alone, without sockets and threads.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class _NothingToRead(selectors.SelectSelector):
    """Instead of waiting for input, lets the time pass."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits and nothing would ever wake it")
        if timeout > 0:
            self._advance(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_NothingToRead(self._advance))

    def time(self) -> float:
        return self.now

    def _advance(self, seconds: float) -> None:
        self.now += seconds


def run_in_virtual_time(main: Callable[[Callable[[], float]], Coroutine[Any, Any, _Result]]) -> _Result:
    """Run `main`, which is given the clock."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(main(loop.time))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

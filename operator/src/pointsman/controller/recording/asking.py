"""Asks what waits for a disk or a network, one thing at a time, and not longer than is bearable."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pointsman.errors import PointsmanError

_T = TypeVar("_T")


class Asking:
    """Has a thread of its own: a disk that hangs takes one, and must not take all of the event loop's."""

    def __init__(self, name: str, answers_seconds: float) -> None:
        self._name = name
        self._answers_seconds = answers_seconds
        self._thread = ThreadPoolExecutor(1, "record")
        self._asked: asyncio.Future[Any] | None = None

    async def ask(self, work: Callable[[], _T]) -> _T:
        """Its result. PointsmanError where it takes too long: then it is waited for again before anything
        else is asked for, and what it gives is dropped.
        """
        if self._asked is not None:
            await self._patiently(self._asked)
        loop = asyncio.get_running_loop()
        self._asked = asked = loop.run_in_executor(self._thread, work)
        await self._patiently(asked)
        return asked.result()

    async def _patiently(self, asked: "asyncio.Future[Any]") -> None:
        done, _ = await asyncio.wait({asked}, timeout=self._answers_seconds)
        if not done:
            raise PointsmanError(f"has not answered for {self._answers_seconds:.0f} s", where=self._name)
        self._asked = None
        if not asked.cancelled():
            asked.exception()

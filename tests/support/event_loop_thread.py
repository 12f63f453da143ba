"""An event loop on a thread of its own, for tests and benchmarks that are not asynchronous themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_START_SECONDS = 30.0


class EventLoopThread:
    """Runs coroutines for other threads. Leaving the `with` block cancels what still runs and joins."""

    def __init__(self, name: str = "stand-ins") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> EventLoopThread:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call(_cancel_others(), _START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T], timeout_seconds: float = 30.0) -> T:
        """Run the coroutine on the thread and return its result. Raises TimeoutError past the deadline."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_seconds)


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

"""Tasks in the background whose failure is noticed: an internal error must end `up`, not a part of it
silently.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Failed = Callable[[BaseException], None]


def spawn(work: Coroutine[Any, Any, None], name: str, failed: Failed) -> "asyncio.Task[None]":
    """Run `work` as a task; `failed` hears an exception that it ends with, not a cancellation."""
    task = asyncio.create_task(work, name=name)

    def ended(task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            failed(error)

    task.add_done_callback(ended)
    return task

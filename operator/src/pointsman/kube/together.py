"""Tasks that live and end together."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from pointsman.kube.errors import LeadershipLost


async def together(parts: Mapping[str, Coroutine[Any, Any, object]]) -> None:
    """Run all parts, each a task of that name, until one fails: then the others are cancelled, and its
    error is raised as it is. Of several errors that of a lost lease counts, which many may find at once.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(part, name=name)
    except BaseExceptionGroup as failed:
        errors = _errors(failed)
        lost = (error for error in errors if isinstance(error, LeadershipLost))
        raise next(lost, errors[0]) from None


async def until_one_ends(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for the first of them, then cancel the others and wait for those. Raises the first one's error."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _errors(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _errors(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found

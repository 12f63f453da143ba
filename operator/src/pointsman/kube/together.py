"""Tasks that live and end together."""

import asyncio
from collections.abc import Coroutine, Mapping
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


def _errors(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _errors(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found

"""A few workers that take keys from the queue and have their reconciler bring each about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from pointsman.controller.identity import Ident
from pointsman.controller.work_queue import WorkQueue
from pointsman.errors import PointsmanError
from pointsman.kube.errors import LeadershipLost
from pointsman.kube.together import together

WORKERS = 16
"""Writes wait for the API server, not for us: at 16 in flight the server is the limit, and one slow answer
holds up a sixteenth."""

Reconcile = Callable[[Ident], Awaitable[float | None]]
"""Brings one object about; returns after how many seconds it wants to look again, None for not at all.
Raises PointsmanError for what is to be tried again."""


class Metrics(Protocol):
    """What is counted about the work."""

    def reconciled(self, kind: str, seconds: float, outcome: str) -> None: ...


class Workers:
    """Runs until it is cancelled. An error of one key is that key's alone."""

    def __init__(self, queue: WorkQueue[Ident], reconcile: Reconcile, metrics: Metrics) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._metrics = metrics
        self._since: dict[Ident, float] = {}
        self._log = structlog.get_logger("controller")

    @property
    def longest(self) -> tuple[str, float]:
        """The look that takes longest by now: at what, and for how many seconds; "" and 0 for none."""
        if not self._since:
            return "", 0.0
        ident, since = min(self._since.items(), key=lambda item: item[1])
        return str(ident), asyncio.get_running_loop().time() - since

    async def run(self, workers: int = WORKERS) -> None:
        await together({f"worker {number}": self._work() for number in range(workers)})

    async def _work(self) -> None:
        while True:
            ident = await self._queue.get()
            try:
                await self._one(ident)
            finally:
                self._queue.done(ident)

    async def _one(self, ident: Ident) -> None:
        loop = asyncio.get_running_loop()
        started = self._since[ident] = loop.time()
        outcome = "done"
        try:
            again = await self._reconcile(ident)
        except LeadershipLost:
            # Nobody here may write any more: what is due is due for whoever leads next.
            self._queue.add(ident)
            raise
        except PointsmanError as error:
            outcome = "retried"
            seconds = self._queue.retry(ident, getattr(error, "retry_after_seconds", None) or 0.0)
            self._log.warning("tried_again", object=str(ident), error=str(error), seconds=round(seconds, 1))
        except Exception as error:  # an error in our own code must not end the work on everything else
            outcome = "failed"
            seconds = self._queue.retry(ident)
            self._log.exception(
                "internal_error", object=str(ident), error=type(error).__name__, seconds=round(seconds, 1)
            )
        else:
            self._queue.succeeded(ident)
            if again is not None:
                self._queue.add_after(ident, again)
        finally:
            del self._since[ident]
        self._metrics.reconciled(ident.kind, loop.time() - started, outcome)

"""An informer that runs for a test, and what it told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pointsman.kube.connection import ConnectionSettings
from pointsman.kube.informer import Informer, InformerSettings
from pointsman.kube.objects import KubeObject, key_of
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.retrying import Retries
from tests.support.polling import eventually_async

# Waits as short as a test wants them, and a watch that is dead after a second of silence instead of a minute.
HASTY = ConnectionSettings(
    connect_seconds=5.0, answer_seconds=5.0, silence_seconds=1.0, retries=Retries(attempts=1)
)
SETTINGS = InformerSettings(retries=Retries(first_seconds=0.05, longest_seconds=0.5))


class Following:
    """An informer that runs, and what it told: "+name", "-name", "=name"."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.told: list[str] = []
        informer.listen(self._take)

    def _take(self, old: KubeObject | None, new: KubeObject | None) -> None:
        sign = "=" if old and new else "+" if new else "-"
        obj = new or old
        assert obj is not None
        self.told.append(sign + key_of(obj).name)

    @property
    def names(self) -> set[str]:
        return {key.name for key in self.informer.store}

    async def until(self, condition: Callable[[], object], what: str, within_seconds: float = 30.0) -> None:
        await eventually_async(lambda: bool(condition()), within_seconds, f"{what}; told {self.told}")


@asynccontextmanager
async def following(reader: KubeReader, selection: Selection) -> AsyncIterator[Following]:
    follower = Following(Informer(reader, selection, settings=SETTINGS))
    task = asyncio.ensure_future(follower.informer.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait({task})

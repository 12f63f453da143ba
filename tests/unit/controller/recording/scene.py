"""A policy, some models, a record in a file, and who writes it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.backoff import Backoff
from pointsman.controller.recording.hearing import Looked
from pointsman.controller.recording.recorder import Recorder
from pointsman.errors import PointsmanError
from pointsman.policy.admitted import as_admitted
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence.record import Entry, Verified, entries_of
from pointsman.policy.verdicts import verdicts
from pointsman.records.file import RecordFile
from pointsman.records.place import Place
from tests.support.policies import compiled, rule
from tests.support.polling import eventually_async

Json = dict[str, Any]

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
HOUSE = compiled({"rules": [rule("LIC-1")]})
_KIND = PolicyKind.MODEL_DEPLOYMENT


def model(name: str, generation: int = 1, **spec: Any) -> Json:
    return {
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}", "generation": generation},
        "spec": {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}, **spec},
    }


class Disk(RecordFile):
    """A file, and for how many more writes the disk has no room; `asked` counts the tries, `read_entries` all
    that was read. Without `answers` it hangs.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.full_for = 0
        self.full_for_checkpoints = 0
        self.read_entries = 0
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def read(self, *, is_whole: bool = False) -> Iterator[Entry]:
        for entry in super().read(is_whole=is_whole):
            self.read_entries += 1
            yield entry

    def append(self, after: Verified, lines: bytes, *, begins_segment: bool = False) -> None:
        self.asked += 1
        if begins_segment and self.full_for_checkpoints:
            self.full_for_checkpoints, self.full_for = 0, 1
        if self.full_for:
            self.full_for -= 1
            raise PointsmanError("No space left on device", where=self.name)
        self.answers.wait(60)
        super().append(after, lines, begins_segment=begins_segment)


class World:
    """What there is, what is told, and a recorder over it at a time that stands."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "record.jsonl"
        self.disk = Disk(self.file)
        self.now = NOW
        self.there: dict[str, Json] = {}
        self.stated: dict[str, Compiled] = {"house": HOUSE}
        self.shown: set[str] = set()
        self.told: list[tuple[str, bool]] = []
        self.again: list[str] = []
        self.leads: Exception | None = None

    def recorder(
        self,
        writer: str = "operator-0",
        *,
        most_waiting: int = 100,
        patience: float = 60.0,
        place: Place | None = None,
        segment: int = 10_000,
    ) -> Recorder:
        return Recorder(
            place or self.disk,
            writer,
            self,
            lambda: self.now,
            gather_seconds=0.0,
            most_waiting=most_waiting,
            retries=Backoff(0.01, 0.01, 0.0),
            answers_seconds=patience,
            segment=segment,
        )

    def policies(self) -> Iterable[ObjectKey]:
        return [ObjectKey("", name) for name in self.stated]

    def has(self, kind: str, key: ObjectKey) -> bool:
        return kind == _KIND.value and key.name in self.there

    def heads(self) -> Collection[str]:
        return self.shown

    def look_again(self, policy: ObjectKey) -> None:
        self.again.append(policy.name)

    def changed(self, policy: ObjectKey, *, is_urgent: bool) -> None:
        self.told.append((policy.name, is_urgent))

    def still_leads(self) -> None:
        if self.leads is not None:
            raise self.leads

    def judge(self, recorder: Recorder, *models: Json) -> None:
        """As the background does."""
        for one in models:
            name = one["metadata"]["name"]
            self.there[name] = one
            live, namespace = as_admitted(_KIND, one), {"metadata": {"name": "team"}}
            found = verdicts([HOUSE], _KIND, live, namespace, self.now)
            recorder.heard.judged(HOUSE, Looked(_KIND, ObjectKey("team", name), live, namespace, found))

    def entries(self) -> list[Entry]:
        """What verifies, all of it."""
        return list(entries_of(self.disk.lines()))

    def bodies(self, *kinds: str) -> Iterator[Json]:
        yield from (dict(one.body) for one in self.entries() if one.kind in kinds)

    def verdicts(self) -> list[tuple[Any, ...]]:
        return [
            (one["name"], one.get("generation"), one.get("outcomes", {}).get("LIC-1"))
            for one in self.bodies("verdict")
        ]


@asynccontextmanager
async def leading(recorder: Recorder, world: World) -> AsyncIterator[Recorder]:
    """It writes what it is told within the block; at its end all of that is written."""
    recorder.begin()
    running = asyncio.create_task(recorder.run(world.still_leads))
    try:
        yield recorder
        await settled(recorder)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def settled(recorder: Recorder) -> None:
    """Until nothing waits to be written."""
    await eventually_async(lambda: recorder.is_idle, 30, "all is written")

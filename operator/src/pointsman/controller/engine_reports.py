"""What engines are seen to say of themselves: the agent of one ready replica of each version is asked, once
it is ready and rarely after that.

Nothing waits for an answer, and no answer is news only once. What is known dies with the process: until it is
asked again, what the status says stays.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import aiohttp

from pointsman.api import ObjectKey
from pointsman.catalog.metric_report import PATH, MetricReport, read_report
from pointsman.controller.asking_agents import PATIENCE, agent_address, ask_agent
from pointsman.controller.modeldeployment.snapshot import Reports
from pointsman.controller.work_queue import WorkQueue
from pointsman.errors import PointsmanError
from pointsman.kube.objects import KubeObject, key_of, labels_of
from pointsman.workloads import AGENT_PORT, naming

_ASKERS = 8
"""A thousand versions that become ready at once are asked within seconds, and nobody notices."""
_AGAIN_SECONDS = 600.0
"""An engine of the same version shows the same names, but for those that need traffic first."""
_NO_PAGE_SECONDS = 30.0
"""An engine whose page does not answer may be busy with something else."""
_FAILED_SECONDS = (2.0, 30.0)
"""After failures one after another: an agent is there before its pod is ready. Then as rarely as others."""


class Version(NamedTuple):
    """Replicas that run the same pod template."""

    deployment: ObjectKey
    revision: str


@dataclass(slots=True)
class _Known:
    """One version: its pods, where those that are ready have their agents, and what one of them told."""

    pods: set[ObjectKey] = field(default_factory=set)
    ready: dict[ObjectKey, str] = field(default_factory=dict)
    report: MetricReport | None = None
    failures: int = 0

    @property
    def is_awaited(self) -> bool:
        """Whether it may tell something yet."""
        return self.report is None and self.failures < len(_FAILED_SECONDS)

    def heard(self, report: MetricReport | None) -> float:
        """It was asked; None: it does not answer. Gives after how many seconds to ask again."""
        self.failures = 0 if report is not None else self.failures + 1
        if report is not None or self.failures > len(_FAILED_SECONDS):
            self.report = report
            return _AGAIN_SECONDS if report is None or report.page_answers else _NO_PAGE_SECONDS
        return _FAILED_SECONDS[self.failures - 1]


class EngineReports:
    """`hear` pods; `changed` is told of a deployment of which something else is known."""

    def __init__(self, changed: Callable[[ObjectKey], None], rng: Random, port: int = AGENT_PORT) -> None:
        self._changed = changed
        self._rng = rng
        self._port = port
        self._known: dict[ObjectKey, dict[str, _Known]] = {}
        self._queue: WorkQueue[Version] = WorkQueue(rng)
        self._is_asking = False

    def hear(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """A pod came, changed or went."""
        if before is not None and (now is None or _version(before) != _version(now)):
            self._drop(before)
        version = None if now is None else _version(now)
        if now is None or version is None:
            return
        known = self._known.setdefault(version.deployment, {}).setdefault(version.revision, _Known())
        known.pods.add(key_of(now))
        address = agent_address(now)
        if address:
            is_first = not known.ready
            known.ready[key_of(now)] = address
            if is_first and known.report is None and self._is_asking:
                self._queue.add(version)
        else:
            known.ready.pop(key_of(now), None)

    def of(self, deployment: ObjectKey) -> Reports:
        """What is known of the versions of a deployment."""
        found = self._known.get(deployment, {})
        return Reports(
            {revision: known.report for revision, known in found.items() if known.report is not None},
            frozenset(revision for revision, known in found.items() if known.is_awaited),
        )

    async def run(self) -> None:
        """Ask until cancelled; until then nobody is noted to be asked."""
        self._is_asking = True
        for deployment, versions in self._known.items():
            for revision in versions:
                self._queue.add(Version(deployment, revision))
        try:
            async with aiohttp.ClientSession(timeout=PATIENCE) as session, asyncio.TaskGroup() as group:
                for number in range(_ASKERS):
                    group.create_task(self._ask_on(session), name=f"ask engines {number}")
        finally:
            self._is_asking = False

    async def _ask_on(self, session: aiohttp.ClientSession) -> None:
        while True:
            version = await self._queue.get()
            try:
                await self._look(session, version)
            finally:
                self._queue.done(version)

    async def _look(self, session: aiohttp.ClientSession, version: Version) -> None:
        known = self._find(version)
        if known is None or not known.ready:
            return  # it is asked once a replica is ready
        before = self.of(version.deployment)
        report = await self._ask(session, known.ready[min(known.ready)])
        if self._find(version) is not known:
            return
        pause = known.heard(report)
        if self.of(version.deployment) != before:
            self._changed(version.deployment)
        self._queue.add_after(version, pause * (0.8 + 0.4 * self._rng.random()))

    def _find(self, version: Version) -> _Known | None:
        return self._known.get(version.deployment, {}).get(version.revision)

    async def _ask(self, session: aiohttp.ClientSession, host: str) -> MetricReport | None:
        """None where no agent tells."""
        told = await ask_agent(session, host, self._port, PATH)
        with suppress(PointsmanError):
            return None if told is None else read_report(told)
        return None

    def _drop(self, pod: KubeObject) -> None:
        version = _version(pod)
        known = None if version is None else self._find(version)
        if known is None or version is None:
            return
        known.pods.discard(key_of(pod))
        known.ready.pop(key_of(pod), None)
        if not known.pods:
            del self._known[version.deployment][version.revision]
            if not self._known[version.deployment]:
                del self._known[version.deployment]
            self._queue.forget(version)


def _version(pod: KubeObject) -> Version | None:
    """None for pods that have no agent: workers of a group of nodes."""
    labels = labels_of(pod)
    name, revision = labels.get(naming.DEPLOYMENT), labels.get(naming.REVISION)
    if not name or not revision or labels.get(naming.ROLE) != naming.LEADER:
        return None
    return Version(ObjectKey(key_of(pod).namespace, name), revision)

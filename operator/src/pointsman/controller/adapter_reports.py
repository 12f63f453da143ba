"""Which adapters running replicas have loaded: each agent that loads them is asked, often while something
is on its way and rarely else.

Nothing waits for an answer. What is known dies with the process: until a replica was asked again, what the
status says stays.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import aiohttp

from pointsman.api import ObjectKey
from pointsman.backoff import Backoff
from pointsman.catalog.adapter_report import PATH, AdapterReport, list_digest, read_adapter_report
from pointsman.controller.asking_agents import PATIENCE, agent_address, ask_agent
from pointsman.controller.work_queue import WorkQueue
from pointsman.errors import PointsmanError
from pointsman.kube.objects import KubeObject, key_of, labels_of
from pointsman.workloads import AGENT_PORT, naming
from pointsman.workloads.adapters import FILE

_ASKERS = 8
_SETTLED_SECONDS = 30.0
"""An engine that starts again takes its replica out, which is asked as soon as it is back."""
_AGAIN = Backoff(0.5, 5.0, jitter=0.2)
"""While something is awaited: the longer nothing changes, the more rarely."""
_SILENT_TIMES = 3
"""An agent that did not answer so often in a row is one that says nothing."""


@dataclass(slots=True)
class _Replica:
    """One ready replica; `report` None: it was not asked yet."""

    deployment: ObjectKey
    address: str
    report: AdapterReport | None = None
    unchanged: int = 0
    failures: int = 0


class AdapterReports:
    """`hear` pods and `hear_list` ConfigMaps; `changed` is told of a deployment of which something else is
    known.
    """

    def __init__(self, changed: Callable[[ObjectKey], None], rng: Random, port: int = AGENT_PORT) -> None:
        self._changed = changed
        self._rng = rng
        self._port = port
        self._replicas: dict[ObjectKey, _Replica] = {}
        self._of: dict[ObjectKey, dict[ObjectKey, None]] = {}
        self._lists: dict[ObjectKey, str] = {}
        self._queue: WorkQueue[ObjectKey] = WorkQueue(rng)
        self._is_asking = False

    def hear(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """A pod came, changed or went."""
        key = key_of(now if now is not None else before or {})
        known = self._replicas.get(key)
        deployment = None if now is None else _loads_adapters(now)
        address = "" if now is None or deployment is None else agent_address(now)
        if known is not None and (known.deployment, known.address) != (deployment, address):
            del self._replicas[key]
            del self._of[known.deployment][key]
            if not self._of[known.deployment]:
                del self._of[known.deployment]
            self._queue.forget(key)
            known = None
        if known is None and deployment is not None and address:
            self._replicas[key] = _Replica(deployment, address)
            self._of.setdefault(deployment, {})[key] = None
            self._due(key)

    def hear_list(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """A ConfigMap came, changed or went: one with adapters will be acted upon soon."""
        found = now if now is not None else before or {}
        name, text = labels_of(found).get(naming.DEPLOYMENT), (found.get("data") or {}).get(FILE)
        if not name or text is None:
            return
        deployment = ObjectKey(key_of(found).namespace, name)
        if now is None:
            self._lists.pop(deployment, None)
        elif self._lists.get(deployment) != (digest := list_digest(text)):
            self._lists[deployment] = digest
            for key in self._of.get(deployment, ()):
                self._replicas[key].unchanged = 0
                self._due(key)

    def of(self, deployment: ObjectKey) -> Mapping[str, AdapterReport]:
        """What replicas of a deployment told, by the names of their pods; those not asked yet are missing."""
        found = ((key, self._replicas[key].report) for key in self._of.get(deployment, ()))
        return {key.name: report for key, report in found if report is not None}

    async def run(self) -> None:
        """Ask until cancelled; until then nobody is noted to be asked."""
        self._is_asking = True
        for key in self._replicas:
            self._queue.add(key)
        try:
            async with aiohttp.ClientSession(timeout=PATIENCE) as session, asyncio.TaskGroup() as group:
                for number in range(_ASKERS):
                    group.create_task(self._ask_on(session), name=f"ask for adapters {number}")
        finally:
            self._is_asking = False
            self._queue.close()

    def _due(self, key: ObjectKey) -> None:
        if self._is_asking:
            self._queue.add(key)

    async def _ask_on(self, session: aiohttp.ClientSession) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._look(session, key)
            finally:
                self._queue.done(key)

    async def _look(self, session: aiohttp.ClientSession, key: ObjectKey) -> None:
        known = self._replicas.get(key)
        if known is None:
            return
        report = await self._ask(session, known.address)
        if self._replicas.get(key) is not known:
            return
        known.failures = 0 if report is not None else known.failures + 1
        if report is None:
            report = known.report if known.failures < _SILENT_TIMES else AdapterReport("")
        if report != known.report:
            known.report, known.unchanged = report, 0
            self._changed(known.deployment)
        known.unchanged += 1
        pause = _AGAIN.wait_seconds(known.unchanged, self._rng.random())
        if known.failures == 0 and self._is_settled(known):
            pause = _SETTLED_SECONDS * (0.8 + 0.4 * self._rng.random())
        self._queue.add_after(key, pause)

    def _is_settled(self, known: _Replica) -> bool:
        """Whether nothing is on its way: it acts upon the list as it is now, and all of it is loaded."""
        report, wanted = known.report, self._lists.get(known.deployment)
        return report is not None and report.list_digest == wanted and report.all_loaded

    async def _ask(self, session: aiohttp.ClientSession, host: str) -> AdapterReport | None:
        told = await ask_agent(session, host, self._port, PATH)
        with suppress(PointsmanError):
            return None if told is None else read_adapter_report(told)
        return None


def _loads_adapters(pod: KubeObject) -> ObjectKey | None:
    """The deployment of a pod whose agent loads adapters."""
    labels = labels_of(pod)
    name = labels.get(naming.DEPLOYMENT)
    return ObjectKey(key_of(pod).namespace, name) if name and naming.ADAPTERS in labels else None

"""Reports kept in the cluster: one in each namespace where something breaks a rule, and none elsewhere.

For clusters that have the reports' kind and settings that ask for it. What the kind's absence, a namespace
that is going or an API server in trouble hold up is tried again; nothing else waits for it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import aclosing, suppress
from typing import NoReturn

import structlog

from pointsman.api import ObjectKey
from pointsman.controller.acting import MANAGER
from pointsman.controller.guardrailpolicy.findings import Findings, namespace_of
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.guardrailpolicy.reports import LABELS, NAME, Failure, report
from pointsman.controller.work_queue import RETRIES
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.difference import differences
from pointsman.kube.errors import KindNotServed, KubeError, LeadershipLost
from pointsman.kube.objects import Kind, KubeObject, key_of, label_selector, uid_of
from pointsman.kube.ports import Reader, Selection, Writer

_CROWD_SECONDS = 5.0
"""Objects change in crowds: one write for all that changed meanwhile."""
_WHOLE_SECONDS = 3600.0
"""After so long what is there is listed and compared again: somebody may have changed it."""
_PATIENCE_SECONDS = 120.0
"""A policy that cannot be read is never judged by; the others' reports wait no longer for it than this."""
_ASK_AGAIN_SECONDS = 60.0
_LOOK_SECONDS = 10.0

_log = structlog.get_logger(__name__)


class Reporting:
    """For one leader. `policies` gives those that there are; `changed` is for Findings to call."""

    def __init__(
        self,
        kind: Kind,
        reader: Reader,
        writer: Writer,
        in_force: InForce,
        findings: Findings,
        policies: Callable[[], Collection[ObjectKey]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Clock = elapsed_seconds,
    ) -> None:
        self._kind = kind
        self._reader = reader
        self._writer = writer
        self._in_force = in_force
        self._findings = findings
        self._policies = policies
        self._sleep = sleep
        self._clock = clock
        self._began = clock()
        self._there: dict[str, KubeObject] = {}
        self._stale: set[str] = set()
        self._something = asyncio.Event()

    def changed(self, namespaces: Iterable[str]) -> None:
        """Something else is found in these."""
        self._stale.update(namespaces)
        self._something.set()

    async def run(self) -> NoReturn:
        """Keep the reports until cancelled. Raises LeadershipLost."""
        failures, was_missing = 0, False
        while True:
            try:
                await self._list()
                was_missing = False
                await self._keep()
                failures = 0
            except LeadershipLost:
                raise
            except KindNotServed:
                if not was_missing:
                    _log.warning("reports_not_served", kind=str(self._kind))
                was_missing = True
                await self._sleep(_ASK_AGAIN_SECONDS)
            except KubeError as error:
                failures += 1
                _log.warning("reports_not_written", why=str(error))
                await self._sleep(RETRIES.wait_seconds(failures, 1.0))

    async def _list(self) -> None:
        """What is there of ours; all of it is compared."""
        self._there.clear()
        selection = Selection(self._kind, labels=label_selector(LABELS))
        async with aclosing(self._reader.chunks(selection)) as chunks:
            async for chunk in chunks:
                for one in chunk.items:
                    if key_of(one).name == NAME:
                        self._there[key_of(one).namespace] = one
        self._stale |= {*self._there, *await self._failing()}

    async def _keep(self) -> None:
        """Write what changes, for a while."""
        until = self._clock() + _WHOLE_SECONDS
        while self._clock() < until:
            if self._is_known and self._stale:
                stale, self._stale = self._stale, set()
                await self._write(stale)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._something.wait(), _LOOK_SECONDS)
                await self._sleep(_CROWD_SECONDS)
            self._something.clear()

    @property
    def _is_known(self) -> bool:
        """Whether every object was looked at by every policy, so that no report goes that comes back."""
        if not self._findings.is_complete:
            return False
        is_late = self._clock() - self._began > _PATIENCE_SECONDS
        return is_late or all(policy in self._in_force for policy in self._policies())

    async def _failing(self) -> frozenset[str]:
        """The namespaces in which anything breaks a rule."""
        found: set[str] = set()
        for _, by_place in self._findings.everything():
            found.update(map(namespace_of, by_place))
            await asyncio.sleep(0)
        return frozenset(found)

    async def _write(self, namespaces: set[str]) -> None:
        """Raises the first error, once each was tried."""
        failing: dict[str, list[Failure]] = defaultdict(list)
        for compiled, by_place in self._findings.everything():
            rules = {one.id: one for one in compiled.rules}
            for place, broken in by_place.items():
                if namespace_of(place) in namespaces:
                    failing[namespace_of(place)] += [
                        Failure(compiled.name, rules[id_], place, message) for id_, message in broken
                    ]
            await asyncio.sleep(0)
        errors: list[KubeError] = []
        for namespace in sorted(namespaces):
            try:
                await self._write_one(namespace, failing.get(namespace, ()))
            except (LeadershipLost, KindNotServed):
                raise
            except KubeError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def _write_one(self, namespace: str, failures: Collection[Failure]) -> None:
        live = self._there.get(namespace)
        if failures:
            wanted = report(self._kind, namespace, failures)
            if live is None or differences(live, wanted, MANAGER):
                self._there[namespace] = await self._writer.apply(wanted, MANAGER, force=True)
        elif live is not None:
            await self._writer.delete(self._kind, ObjectKey(namespace, NAME), uid_of(live))
            del self._there[namespace]

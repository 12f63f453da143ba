"""The gateways of a cluster: where they are, by EndpointSlices or Pods, and what each says of its routes.

Each is asked in a long poll. What one said stays until it says something else or is gone.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import structlog

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.kube.clock import Clock, Fraction, elapsed_seconds, fraction
from pointsman.kube.gateways import addresses_in
from pointsman.kube.objects import KubeObject, key_of
from pointsman.kube.ports import Selection
from pointsman.kube.retrying import Retries
from pointsman.pages import read_page
from pointsman.routing import RouteProgramming
from pointsman.routing.programming import PATH, read_programming

_log = structlog.get_logger(__name__)

_ANSWER_SECONDS = 40.0
"""A gateway answers after 25 seconds at the latest, if only that nothing changed."""
_MOST_BYTES = 2**25
"""Some hundred bytes a route; ten thousand that Envoy refuses, each in its own words, are a third of it."""
_SILENT_SECONDS = 10.0
"""A gateway is ready when it has everything in use: one that was not asked yet makes no route unready."""
_RETRIES = Retries(first_seconds=0.5, longest_seconds=15.0)


@dataclass(slots=True)
class _Asked:
    """One gateway. `routes` is None until it has answered."""

    since: float
    revision: int | None = None
    is_missed: bool = False
    routes: Mapping[ObjectKey, RouteProgramming] | None = None
    task: asyncio.Task[None] | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Gateways:
    """`hear` what the informer of `selection` tells, `run` while leading."""

    def __init__(
        self,
        selection: Selection,
        changed: Callable[[Iterable[ObjectKey] | None], None],
        clock: Clock = elapsed_seconds,
        jitter: Fraction = fraction,
    ) -> None:
        """`selection`: see `pointsman.kube.gateways`. `changed` is told of which routes a gateway says
        something else, None: of any.
        """
        self.selection = selection
        self._changed = changed
        self._clock = clock
        self._jitter = jitter
        self._found: dict[ObjectKey, frozenset[Address]] = {}
        self._asked: dict[Address, _Asked] = {}
        self._moved = asyncio.Event()

    def hear(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """An EndpointSlice or a Pod came, changed or went."""
        if now is not None:
            self._found[key_of(now)] = addresses_in(now, self.selection.kind)
        elif before is not None:
            self._found.pop(key_of(before), None)
        self._moved.set()

    def said_of(self, route: ObjectKey) -> tuple[RouteProgramming | None, ...]:
        """What each ready gateway says of a route, None for one that does not know it; empty where there is
        no gateway.
        """
        now = self._clock()
        return tuple(
            None if asked.routes is None else asked.routes.get(route)
            for _, asked in sorted(self._asked.items(), key=lambda item: item[0])
            if asked.routes is not None or now - asked.since >= _SILENT_SECONDS
        )

    async def run(self) -> None:
        """Ask all of them until cancelled."""
        try:
            async with aiohttp.ClientSession() as session:
                while True:
                    self._moved.clear()
                    self._follow(session)
                    await self._moved.wait()
        finally:
            for asked in self._asked.values():
                if asked.task is not None:
                    asked.task.cancel()
            self._asked.clear()

    async def heard(self, within_seconds: float) -> None:
        """Wait until each that is there has answered once, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await asyncio.sleep(0)
                for asked in list(self._asked.values()):
                    await asked.answered.wait()

    def _follow(self, session: aiohttp.ClientSession) -> None:
        there = frozenset().union(*self._found.values())
        gone = self._asked.keys() - there
        for asked in [self._asked.pop(address) for address in gone]:
            if asked.task is not None:
                asked.task.cancel()
            self._changed(self._differing(asked))
        for address in sorted(there - self._asked.keys()):
            asked = self._asked[address] = _Asked(since=self._clock())
            asked.task = asyncio.create_task(self._ask(session, address, asked), name=f"gateway {address}")

    def _differing(self, asked: _Asked) -> Iterable[ObjectKey] | None:
        """The routes of which it says something else than another gateway; None where there is no other. A
        gateway that comes or goes and says what others say changes nothing: there may be thousands of routes.
        """
        others = (one.routes for one in self._asked.values() if one is not asked and one.routes is not None)
        other = next(others, None)
        if other is None or asked.routes is None:
            return None
        return _unlike(other, asked.routes)

    async def _ask(self, session: aiohttp.ClientSession, address: Address, asked: _Asked) -> None:
        failures = 0
        while True:
            try:
                await self._once(session, address, asked)
            except (aiohttp.ClientError, TimeoutError, PointsmanError, UnicodeDecodeError) as error:
                failures += 1
                if failures == 1:
                    _log.warning(
                        "gateway_does_not_answer", url=address.url(PATH), reason=str(error) or repr(error)
                    )
                await asyncio.sleep(_RETRIES.pause_seconds(failures, None, self._jitter()))
                is_silent = asked.routes is None and self._clock() - asked.since >= _SILENT_SECONDS
                if is_silent and not asked.is_missed:
                    asked.is_missed = True
                    self._changed(None)
            else:
                failures = 0

    async def _once(self, session: aiohttp.ClientSession, address: Address, asked: _Asked) -> None:
        query = {} if asked.revision is None else {"after": str(asked.revision)}
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, connect=5.0)
        async with session.get(address.url(PATH), params=query, timeout=timeout) as answer:
            if answer.status == 304:
                return
            if answer.status != 200:
                raise PointsmanError(f"it answers {answer.status}", where=address.url(PATH))
            revision, routes = read_programming((await read_page(answer, _MOST_BYTES)).decode())
        former, asked.routes, asked.revision = asked.routes, routes, revision
        asked.answered.set()
        self._changed(self._differing(asked) if former is None else _unlike(former, routes))


def _unlike(
    one: Mapping[ObjectKey, RouteProgramming], other: Mapping[ObjectKey, RouteProgramming]
) -> list[ObjectKey]:
    return [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]

"""Signals read from agents and gateways themselves, where no Prometheus is: local mode, small clusters."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

import aiohttp
import structlog

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman.pages import read_page
from pointsman_autoscaler.signals.memory import PATIENCE, Memory, Patience
from pointsman_autoscaler.signals.page import TargetLook, engine_sample, gateway_looks, gateway_rows, rows
from pointsman_autoscaler.signals.watched import Blind, Watched
from pointsman_autoscaler.view import View

_log = structlog.get_logger(__name__)

_PATH = "/metrics"
_PATIENCE = aiohttp.ClientTimeout(total=5.0, connect=2.0)
_AT_ONCE = 512
"""Pages that are read at the same time."""
_OF_ONE_MODEL = 256
"""A thousand replicas of one, each of which answers too late, take 20 s, and leave room for others."""
_AGENT_BYTES = 2**18
"""Some hundred rows are 10 kB."""
_GATEWAY_BYTES = 64 * 2**20
"""A thousand models on some routes each are some 20 MB."""
_STEP_SECONDS = 1.0
_FRESH_SECONDS = 3.0
"""Models that are looked at together share one look at the gateways."""


class DirectSource:
    """Use it as an async context manager. `gateways` says where they are now, by address."""

    look_seconds = 5.0
    """Often enough to see requests wait between two decisions; agents' pages are small."""

    def __init__(
        self,
        gateways: Callable[[], Collection[Address]],
        clock: Callable[[], float],
        patience: Patience = PATIENCE,
    ) -> None:
        self._patience = patience
        self._gateways = gateways
        self._clock = clock
        self._memories: dict[ObjectKey, Memory] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
        self._look: asyncio.Task[_Look] | None = None
        self._silent: dict[ObjectKey | None, set[str]] = {}
        """URLs that nothing can be read from, which is said once: of a model, or of gateways."""
        self._latest = clock()

    async def __aenter__(self) -> "DirectSource":
        self._session = aiohttp.ClientSession(
            timeout=_PATIENCE, connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def forget(self, key: ObjectKey) -> None:
        self._memories.pop(key, None)
        self._silent.pop(key, None)

    async def view(self, watched: Watched) -> View | Blind:
        self._begin_anew_if_the_clock_went_back()
        memory = self._memories.setdefault(watched.key, Memory(self._patience))
        agents = {
            one.name: one.metrics
            for one in watched.replicas
            if one.is_ready and not one.is_draining and one.metrics is not None
        }
        turn = asyncio.Semaphore(_OF_ONE_MODEL)

        async def page_of(address: Address) -> str | None:
            async with turn:
                return await self._page(address, _AGENT_BYTES, watched.key)

        self._forget_silent(watched.key, agents.values())
        pages = asyncio.gather(*(page_of(address) for address in agents.values()))
        look = await self._gateways_now()
        for name, page in zip(agents, await pages, strict=True):
            sample = None if page is None else engine_sample(self._clock(), rows(page))
            if sample is not None:
                memory.saw_engine(name, sample)
        if look.there:
            target = str(watched.key)
            memory.saw_gateways(
                look.at_seconds, {name: said.get(target) for name, said in look.said.items()}, look.there
            )
        return memory.view(watched, self._clock())

    def _forget_silent(self, whose: ObjectKey | None, there: Iterable[Address]) -> None:
        """Replicas come and go, each at another address."""
        silent = self._silent.get(whose)
        if silent:
            silent &= {address.url(_PATH) for address in there}

    def _begin_anew_if_the_clock_went_back(self) -> None:
        """What was seen at times to come would stay the newest until they come."""
        now = self._clock()
        if now < self._latest - _STEP_SECONDS:
            _log.warning("clock_went_back", seconds=round(self._latest - now, 1))
            self._memories.clear()
            self._look = None
        self._latest = now

    async def _gateways_now(self) -> "_Look":
        """One look for all who ask within some seconds."""
        look = self._look
        if look is None or (look.done() and self._clock() - look.result().at_seconds > _FRESH_SECONDS):
            look = self._look = asyncio.create_task(self._read_gateways(), name="look at gateways")
        return await asyncio.shield(look)

    async def _read_gateways(self) -> "_Look":
        at_seconds = self._clock()
        there = sorted(self._gateways())
        self._forget_silent(None, there)
        pages = await asyncio.gather(*(self._page(address, _GATEWAY_BYTES, None) for address in there))
        said: dict[str, Mapping[str, TargetLook]] = {}
        for address, page in zip(there, pages, strict=True):
            looks = None if page is None else gateway_looks(rows(page, gateway_rows()))
            if looks is not None:
                said[address.url(_PATH)] = looks
        return _Look(at_seconds, frozenset(address.url(_PATH) for address in there), said)

    async def _page(self, address: Address, most_bytes: int, whose: ObjectKey | None) -> str | None:
        """None where nothing of use was answered, which is logged once."""
        assert self._session is not None
        url = address.url(_PATH)
        silent = self._silent.setdefault(whose, set())
        async with self._turn:
            try:
                # Anybody's pod may have our labels: it chooses neither who is asked nor how much is read.
                async with self._session.get(url, allow_redirects=False) as answer:
                    if answer.status == 200:
                        page = (await read_page(answer, most_bytes)).decode(errors="replace")
                        silent.discard(url)
                        return page
                    reason = f"it answers {answer.status}"
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
        if url not in silent:
            silent.add(url)
            _log.warning("metrics_unreadable", url=url, reason=reason)
        return None


class _Look:
    """What all gateways said at one time; `there` are those that were asked."""

    def __init__(
        self, at_seconds: float, there: frozenset[str], said: Mapping[str, Mapping[str, TargetLook]]
    ) -> None:
        self.at_seconds = at_seconds
        self.there = there
        self.said = said

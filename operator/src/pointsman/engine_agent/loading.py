"""Keeps the adapters of a running engine as the mounted list says: fetched, loaded, unloaded.

The engine is asked which it has, as it forgets them when it starts again, and is told what is missing.
Nothing is remembered that could not be seen: an agent that begins anew goes on with what is there.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from pointsman.catalog.adapter_report import AdapterReport, ReportedAdapter, list_digest
from pointsman.engine_agent.adapter_settings import AdapterSettings
from pointsman.engine_agent.adapters import Change, WantedAdapter, changes, read_wanted
from pointsman.engine_agent.asking import Engine
from pointsman.errors import PointsmanError

_FETCHED_AT_ONCE = 2


@dataclass(slots=True)
class _Trying:
    """One adapter that is wanted, and how far it is."""

    wanted: WantedAdapter
    is_fetched: bool = False
    fetching: asyncio.Task[str] | None = None
    trouble: str = ""
    failures: int = 0
    again_at: float = 0.0


class AdapterLoading:
    """`run` until cancelled. `report` says what is so; `is_catching_up` whether a replica that could serve
    has not yet been given what it should have.
    """

    def __init__(self, settings: AdapterSettings) -> None:
        self._settings = settings
        self._log = structlog.get_logger("adapters")
        self._digest = ""
        self._unreadable = ""
        self._wanted: dict[str, _Trying] = {}
        self._loaded: dict[str, str] | None = None
        self._caught_up = False
        self._awaited_since: float | None = None
        self._at_once = asyncio.Semaphore(_FETCHED_AT_ONCE)
        self._wake = asyncio.Event()

    async def run(self, engine: Engine) -> None:
        try:
            while True:
                self._wake.clear()
                await self._read_list()
                self._fetch()
                await self._bring_about(engine)
                try:
                    async with asyncio.timeout(self._settings.look_seconds):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = [one.fetching for one in self._wanted.values() if one.fetching is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def report(self) -> AdapterReport:
        """What is loaded, and why something is not."""
        loaded = self._loaded or {}
        found = []
        for name, one in sorted(self._wanted.items()):
            is_there = loaded.get(name) == self._path(one.wanted)
            found.append(ReportedAdapter(name, one.wanted.path, is_there, "" if is_there else one.trouble))
        return AdapterReport(self._digest, tuple(found))

    def is_catching_up(self, now: float) -> bool:
        """Asked while the engine serves: whether requests should still go elsewhere."""
        if self._caught_up:
            return False
        if self._awaited_since is None:
            self._awaited_since = now
        return now - self._awaited_since < self._settings.held_back_seconds

    def _path(self, wanted: WantedAdapter) -> str:
        return str(self._settings.store / wanted.path)

    async def _read_list(self) -> None:
        """Take the list where it is another. One that is away or broken changes nothing."""
        try:
            text = await asyncio.to_thread(self._settings.file.read_text, encoding="utf-8")
            digest = list_digest(text)
            if digest == self._digest:
                return
            wanted = read_wanted(text)
        except (OSError, UnicodeDecodeError, PointsmanError) as error:
            if str(error) != self._unreadable:
                self._unreadable = str(error)
                self._log.warning("list_unreadable", trouble=self._unreadable)
            return
        self._digest, self._unreadable = digest, ""
        former, self._wanted = self._wanted, {}
        for one in wanted:
            known = former.get(one.name)
            if known is not None and known.wanted == one:
                self._wanted[one.name] = former.pop(one.name)
            else:
                self._wanted[one.name] = _Trying(one)
        for gone in former.values():
            if gone.fetching is not None:
                gone.fetching.cancel()
        self._log.info("listed", adapters=sorted(self._wanted))

    def _fetch(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in self._wanted.values():
            if not one.is_fetched and one.fetching is None and now >= one.again_at:
                one.fetching = asyncio.create_task(self._brought(one.wanted), name=f"fetch {one.wanted.name}")
                one.fetching.add_done_callback(partial(self._fetched, one))

    async def _brought(self, wanted: WantedAdapter) -> str:
        into = str(self._settings.store / wanted.item["into"])
        async with self._at_once:
            return await self._settings.bring({**wanted.item, "into": into})

    def _fetched(self, one: _Trying, task: "asyncio.Task[str]") -> None:
        one.fetching = None
        self._wake.set()
        if task.cancelled():
            return
        error = task.exception()
        trouble = task.result() if error is None else f"cannot be fetched ({type(error).__name__}: {error})"
        one.is_fetched = not trouble
        self._tried(one, trouble)

    def _tried(self, one: _Trying, trouble: str) -> None:
        if trouble and trouble != one.trouble:
            self._log.warning("not_loaded", adapter=one.wanted.name, trouble=trouble)
        one.trouble = trouble
        one.failures = one.failures + 1 if trouble else 0
        wait = self._settings.again.wait_seconds(one.failures, 1.0) if trouble else 0.0
        one.again_at = asyncio.get_running_loop().time() + wait

    async def _bring_about(self, engine: Engine) -> None:
        try:
            loaded = await engine.adapters()
        except TimeoutError:
            return  # it is busy
        if _is_another(self._loaded, loaded):
            self._caught_up, self._awaited_since = False, None
        self._loaded = loaded
        if loaded is None or not self._digest:
            return
        wanted = {name: self._path(one.wanted) for name, one in self._wanted.items()}
        for change in tuple(changes(wanted, loaded)):
            await self._carry_out(change, engine, loaded)
        self._caught_up = self._caught_up or all(
            one.trouble or loaded.get(name) == wanted[name] for name, one in self._wanted.items()
        )

    async def _carry_out(self, change: Change, engine: Engine, loaded: dict[str, str]) -> None:
        """`loaded` follows what the engine agreed to."""
        one = self._wanted.get(change.name)
        if one is None:
            if trouble := await engine.unload_adapter(change.name):
                self._log.warning("not_unloaded", adapter=change.name, trouble=trouble)
            else:
                loaded.pop(change.name, None)
                self._log.info("unloaded", adapter=change.name)
            return
        if not one.is_fetched or asyncio.get_running_loop().time() < one.again_at:
            return
        trouble = await engine.load_adapter(change.name, change.path, replaces=change.replaces)
        if not trouble:
            loaded[change.name] = change.path
            self._log.info("loaded", adapter=change.name, path=change.path)
        self._tried(one, trouble)


def _is_another(former: Mapping[str, str] | None, now: Mapping[str, str] | None) -> bool:
    """Whether the engine went, came, or is not the one that was told: it lacks what it had."""
    if former is None or now is None:
        return former is not now
    return any(now.get(name) != path for name, path in former.items())

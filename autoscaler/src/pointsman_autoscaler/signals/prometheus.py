"""Signals from a Prometheus. Its client waits, so that each question has a thread and a time-out of its own.

A Prometheus that does not answer, one that has no such series, and one whose series have ended are three
kinds of blindness, and none of them is zero load.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from pointsman.api import ObjectKey
from pointsman.api.fleet import PrometheusSettings
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman_autoscaler.signals import promql
from pointsman_autoscaler.signals.bounded import BoundedSession, TooLargeError
from pointsman_autoscaler.signals.memory import PATIENCE, Memory, Patience
from pointsman_autoscaler.signals.page import engine_sample, gateway_looks
from pointsman_autoscaler.signals.watched import Blind, Watched
from pointsman_autoscaler.view import View

_log = structlog.get_logger("autoscaler")

_AT_ONCE = 8
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_PATIENCE_SECONDS = 10.0
_FIRST_SECONDS = 600.0
"""The first look sees what was before this process: as much as decisions rest on."""
_AGAIN_SECONDS = 120.0
_ERRORS = (OSError, PrometheusApiClientException, ValueError, KeyError, TypeError, TimeoutError)
"""Errors of requests are OSErrors; the others are answers that are none of Prometheus."""
_GIVEN_UP = 32
"""So many questions in a row without any answer are its end, and not that of one question."""
_QUIET_SECONDS = 10.0
"""So long nobody asks a Prometheus that was given up: a thousand models would wait in vain one by one."""
_SAID_SECONDS = 60.0
_MOST_BYTES = 64 * 2**20
"""Of an answer: ten minutes of a thousand replicas are some 50 MiB."""


@dataclass(slots=True)
class _Known:
    """Of one model. `failing_since` is when questions about it began to fail."""

    memory: Memory
    is_first: bool = True
    failing_since: float | None = None
    has_series: bool = False
    is_too_much: bool = False
    """Whether its answer was larger than is read."""


class PrometheusSource:
    """Use it as an async context manager."""

    look_seconds = 15.0
    """Prometheus itself looks no more often."""

    def __init__(
        self,
        settings: PrometheusSettings,
        clock: Callable[[], float],
        patience: Patience = PATIENCE,
        elapsed: Clock = elapsed_seconds,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._settings = settings
        self._most_bytes = most_bytes
        self._elapsed = elapsed
        self._clock = clock
        self._patience = patience
        self._known: dict[ObjectKey, _Known] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="prometheus")
        self._local = threading.local()
        self._unanswered = 0
        self._quiet_until = 0.0
        self._said_at = float("-inf")

    async def __aenter__(self) -> "PrometheusSource":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def forget(self, key: ObjectKey) -> None:
        self._known.pop(key, None)

    async def view(self, watched: Watched) -> View | Blind:
        known = self._known.get(watched.key)
        if known is None:
            known = self._known[watched.key] = _Known(Memory(self._patience))
        now = self._clock()
        if self._is_given_up():
            known.failing_since = now if known.failing_since is None else known.failing_since
            return self._seen(known, known.memory.view(watched, now), now)
        try:
            await self._look(watched.key, known)
        except _ERRORS as error:
            self._failed(known, error)
            known.failing_since = now if known.failing_since is None else known.failing_since
        else:
            known.failing_since = None
            self._unanswered = 0
        return self._seen(known, known.memory.view(watched, self._clock()), now)

    def _is_given_up(self) -> bool:
        return self._unanswered >= _GIVEN_UP and self._elapsed() < self._quiet_until

    def _failed(self, known: _Known, error: Exception) -> None:
        known.is_too_much = isinstance(error, TooLargeError)
        if isinstance(error, OSError):
            self._unanswered += 1
            self._quiet_until = self._elapsed() + _QUIET_SECONDS
        if known.failing_since is None and self._elapsed() - self._said_at >= _SAID_SECONDS:
            self._said_at = self._elapsed()
            # What urllib3 gave up for, rather than the whole question.
            cause = getattr(next(iter(error.args), None), "reason", None) or error
            reason = str(cause) or type(error).__name__
            _log.warning("prometheus_failed", url=self._settings.url, reason=reason)

    def _seen(self, known: _Known, seen: View | Blind, now: float) -> View | Blind:
        """What was seen lately counts while Prometheus is asked in vain; after that nothing does."""
        if known.failing_since is not None:
            is_over = now - known.failing_since >= self._patience.stale_seconds
            # Without the error, which may be another one each time.
            why = f"Prometheus at {self._settings.url} does not answer; the autoscaler's log says how"
            if known.is_too_much:
                size = f"{self._most_bytes / 2**20:g} MiB"
                why = f"Prometheus says more than {size} of its replicas; see who else has their labels"
            return Blind(why) if is_over or isinstance(seen, Blind) else seen
        if isinstance(seen, Blind):
            if not known.has_series:
                return Blind("Prometheus has no series of its replicas; see that it scrapes their PodMonitor")
            return Blind("Prometheus has only old samples of its replicas; see that its scrapes succeed")
        return seen

    async def _look(self, key: ObjectKey, known: _Known) -> None:
        seconds = _FIRST_SECONDS if known.is_first else _AGAIN_SECONDS
        async with asyncio.timeout(_PATIENCE_SECONDS):
            engines, gateways = await asyncio.gather(
                self._ask(promql.engines(key, seconds)), self._ask(promql.gateways(key, seconds))
            )
        known.has_series = bool(engines)
        for replica, by_time in promql.scrapes(engines, promql.POD).items():
            for time in sorted(by_time):
                sample = engine_sample(time, by_time[time])
                if sample is not None:
                    known.memory.saw_engine(replica, sample)
        target = str(key)
        for time, said in promql.looks(promql.scrapes(gateways, promql.INSTANCE)):
            found = {name: gateway_looks(rows) for name, rows in said.items()}
            there = {name: look.get(target) for name, look in found.items() if look is not None}
            known.memory.saw_gateways(time, there, said.keys())
        known.is_first = False

    async def _ask(self, query: str) -> Sequence[Mapping[str, Any]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._asked, query)

    def _asked(self, query: str) -> Sequence[Mapping[str, Any]]:
        """In a thread, each of which has a connection of its own."""
        client = getattr(self._local, "client", None)
        if client is None:
            # Asked again with the next look: a retry would be late.
            client = self._local.client = PrometheusConnect(
                self._settings.url.rstrip("/"),
                retry=0,
                session=BoundedSession(self._most_bytes, _PATIENCE_SECONDS),
            )
        token = self._settings.bearer_token_file
        # Read each time: tokens of accounts change.
        client.headers = {"Authorization": f"Bearer {Path(token).read_text().strip()}"} if token else {}
        found: Sequence[Mapping[str, Any]] = client.custom_query(
            query, timeout=(_CONNECT_SECONDS, _READ_SECONDS)
        )
        return found

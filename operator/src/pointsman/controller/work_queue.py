"""The keys that are due: each once however often it is named, never two workers on one, failures later.

Level-based: a key says that something about an object may have changed, not what.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from random import Random
from typing import Final, Generic, TypeVar

from pointsman.backoff import Backoff

K = TypeVar("K", bound=Hashable)

# What comes back at once is mostly a conflict with a write of our own, seen a moment later. The longest is as
# long as controllers of Kubernetes wait at most by default, less a factor of three: a person who mended the
# cause waits for it. Keys that failed together must not come back together.
RETRIES: Final = Backoff(first_seconds=0.5, longest_seconds=300.0, jitter=0.2)


class WorkQueue(Generic[K]):
    """For one event loop. A worker takes a key with `get` and must say `done` of it."""

    def __init__(self, rng: Random, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called whenever the depth may have changed."""
        self._rng = rng
        self._changed = changed
        self._due: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._takers: deque[asyncio.Future[None]] = deque()

    @property
    def depth(self) -> int:
        """How many keys are due and not yet taken."""
        return len(self._due)

    @property
    def idle(self) -> bool:
        """Whether nothing is due or being worked on; what comes later does not count."""
        return not self._due and not self._working

    def add(self, key: K) -> None:
        """The key is due now."""
        self._cancel_later(key)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._due.append(key)
            self._wake()
            self._changed()

    def add_after(self, key: K, seconds: float) -> None:
        """The key is due after `seconds`, unless it is due sooner already."""
        if key in self._waiting or key in self._again:
            return
        loop = asyncio.get_running_loop()
        known = self._later.get(key)
        if known is not None:
            if known.when() <= loop.time() + seconds:
                return
            known.cancel()
        self._later[key] = loop.call_later(seconds, self.add, key)

    def retry(self, key: K, at_least_seconds: float = 0.0) -> float:
        """The key failed: it is due later, twice as late each time. Returns after how many seconds."""
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        wait = max(RETRIES.wait_seconds(failures, self._rng.random()), at_least_seconds)
        self.add_after(key, wait)
        return wait

    def succeeded(self, key: K) -> None:
        """The next failure of the key is its first again."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """The object is gone: nothing of it is kept."""
        self._cancel_later(key)
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key that is due; it is not handed out again before `done`."""
        while not self._due:
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake()
                raise
            finally:
                if taker in self._takers:
                    self._takers.remove(taker)
        key = self._due.popleft()
        self._waiting.discard(key)
        self._working.add(key)
        self._changed()
        return key

    def done(self, key: K) -> None:
        """The worker has finished with the key; if it was named meanwhile, it is due again."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Nothing comes later any more."""
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _cancel_later(self, key: K) -> None:
        handle = self._later.pop(key, None)
        if handle is not None:
            handle.cancel()

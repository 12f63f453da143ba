"""What the API server can, as it was last seen: its version, and which kinds of other projects it serves.

Found out while the operator runs: a kind may be installed, and a control plane upgraded, at any time. What is
not there is not written, so that nothing is tried again and again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from pointsman.kube.errors import KubeError
from pointsman.kube.objects import LEADER_WORKER_SET, POD_MONITOR, Kind
from pointsman.kube.ports import Selection
from pointsman.kube.server_version import ServerVersion
from pointsman.workloads import Surroundings

_log = structlog.get_logger(__name__)

_IMAGE_VOLUMES_SINCE = ServerVersion(1, 35)
"""From then on `volumes[].image` is kept by default; before, it is dropped and an empty folder left."""
_OF_OTHERS = (LEADER_WORKER_SET, POD_MONITOR)
_ASK_AGAIN_SECONDS = 600.0
"""Behind a load balancer an upgrade breaks no connection for good."""


class Abilities:
    """`ask` gives the version or raises KubeError; `changed` is told when something else is possible than
    before. `heard` is for informers, `run` for the life of the process.
    """

    def __init__(self, ask: Callable[[], Awaitable[ServerVersion]], changed: Callable[[], None]) -> None:
        self._ask = ask
        self._changed = changed
        self._version: ServerVersion | None = None
        self._served: set[Selection] = set()
        self._asked = asyncio.Event()
        self._again = asyncio.Event()

    def serves(self, kind: Kind) -> bool:
        """Whether objects of the kind can be listed, in one of our namespaces at least."""
        return any(selection.kind == kind for selection in self._served)

    def added_to(self, surroundings: Surroundings) -> Surroundings:
        """The surroundings, with what the API server was seen to do."""
        version = self._version
        return replace(
            surroundings,
            kubernetes=str(version or ""),
            image_volumes=version is not None and version >= _IMAGE_VOLUMES_SINCE,
            leader_worker_sets=self.serves(LEADER_WORKER_SET),
            pod_monitors=self.serves(POD_MONITOR),
        )

    def heard(self, selection: Selection, served: bool) -> None:
        """An informer had its first list, goes on after trouble, or was told that there is no such kind."""
        before = self.serves(selection.kind)
        was_asked_in_vain = self._asked.is_set() and self._version is None
        if served and (selection in self._served or was_asked_in_vain):
            # The server that answers now may be another one, or the first that does.
            self._again.set()
        if served:
            self._served.add(selection)
        else:
            self._served.discard(selection)
        if selection.kind in _OF_OTHERS and self.serves(selection.kind) != before:
            self._changed()

    async def known(self) -> None:
        """Wait until the version was asked for once, whether or not there was an answer."""
        await self._asked.wait()

    async def run(self) -> None:
        """Ask, and again after each trouble, until cancelled."""
        while True:
            self._again.clear()
            await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), _ASK_AGAIN_SECONDS)

    async def _look(self) -> None:
        try:
            found = await self._ask()
        except KubeError as error:
            # What was known stays: the next trouble that ends asks again.
            _log.warning("version_unknown", reason=str(error))
        else:
            if found != self._version:
                _log.info("kubernetes", version=str(found))
                self._version = found
                if self._asked.is_set():
                    self._changed()
        self._asked.set()

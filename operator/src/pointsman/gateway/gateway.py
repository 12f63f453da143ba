"""One gateway: inputs in, Envoy programmed, what each route's state is out."""

import asyncio
import gc
import secrets
import shutil
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pointsman.api import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.gateway.answering import PATIENCE, Patience
from pointsman.gateway.bootstrap import DISCOVERY_SOCKET
from pointsman.gateway.discovery import DiscoveryServer
from pointsman.gateway.envoy import Envoy
from pointsman.gateway.hold import Hold
from pointsman.gateway.programming import deafness, route_programming
from pointsman.gateway.run_folder import make_run_folder
from pointsman.gateway.store import ResourceStore
from pointsman.routing import Compiler, ProxySettings, RouteProgramming, RoutingInput
from pointsman.routing.names import endpoints_name
from pointsman.routing.resources import ENDPOINTS

_GROWN = 1.2
"""From so many times the routes on, the collector is told that they stay: with 1,000 routes it stopped
everything for 0.09 s every few seconds. Seldom, because what is garbage at that moment stays too."""

_OF_DRAIN_FOR_HELD = 0.9
"""The rest is for fallbacks to answer in."""


@dataclass(frozen=True, slots=True)
class GatewayPlaces:
    """Where a gateway keeps what it needs, and whom to tell Envoy's process id.

    `folder` is for this gateway alone; what is there is removed at its start and at its end.
    """

    folder: Path
    log_file: Path
    on_envoy_start: Callable[[int], None] | None = None


class Gateway:
    """Lives on one event loop. `start`, any number of `update`s, `stop`."""

    def __init__(
        self, settings: ProxySettings, places: GatewayPlaces, *, patience: Patience = PATIENCE
    ) -> None:
        settings = replace(settings, hold=replace(settings.hold, word=secrets.token_hex(16)))
        self._compiler = Compiler(settings)
        self._store = ResourceStore()
        self._discovery = DiscoveryServer(self._store, lambda: self.given.secrets.values())
        self._folder = places.folder
        self.given = RoutingInput()
        self.hold = Hold(settings.hold, self._can_answer, self.changed)
        self._settled_routes = 0
        self._inputs = 0
        self.envoy = Envoy(settings, self._folder, places.log_file, places.on_envoy_start, patience)

    async def start(self) -> None:
        """Start the discovery service and Envoy. The first `update` may come before or after.

        Raises PointsmanError if the folder cannot be used or Envoy cannot be started.
        """
        make_run_folder(self._folder)
        await self.hold.start(self._folder)
        await self._discovery.start(self._folder / DISCOVERY_SOCKET)
        await self.envoy.start()

    def update(self, given: RoutingInput) -> None:
        """Take a new input; Envoy gets the difference."""
        resources = self._compiler.compile(given)
        self._inputs += _differs_in_more_than_replicas(given, self.given)
        self.given = given
        self._store.replace(resources)
        if len(given.routes) > self._settled_routes * _GROWN:
            # What came stays. A look through all of it for cycles would hold up a change now and then.
            gc.freeze()
            self._settled_routes = len(given.routes)

    async def ready(self, within_seconds: float) -> None:
        """Wait until Envoy has said yes or no to everything. Raises PointsmanError with Envoy's reason if it
        cannot listen, or if the time is over."""
        try:
            async with asyncio.timeout(within_seconds):
                while not self._is_settled():
                    # Awaited as it is: a task would begin to listen a turn later and may miss the last step.
                    await self._discovery.progressed()
                    self._refuse_to_be_deaf()
        except TimeoutError:
            raise PointsmanError(
                f"Envoy was not ready within {within_seconds:g} s", where="gateway", todo="its log says why"
            ) from None

    def is_ready(self) -> bool:
        """Whether Envoy answers, listens, and has said yes or no to everything once. A change does not undo
        that.
        """
        session = self._discovery.session
        has_settled = session is not None and session.has_settled
        return has_settled and self.envoy.answers and not deafness(self._store)

    def programming(self) -> Mapping[ObjectKey, RouteProgramming]:
        """The state of each route in this gateway's Envoy."""
        return route_programming(self.given, self._store, self._discovery.session)

    @property
    def stage(self) -> Hashable:
        """Equal to what it was for as long as `programming` says the same: that takes 16 ms for 1,000 routes,
        and replicas, which come and go all the time, change nothing of it.
        """
        session = self._discovery.session
        heard = None if session is None else session.heard
        return self._inputs, self._discovery.streams, heard, tuple(self._store.refusals.items())

    async def changed(self) -> None:
        """Wait until what `programming` says may have changed."""
        await self._discovery.progressed()

    async def stop(self, drain_seconds: float, leaving_seconds: float = 0.0) -> None:
        """Drain (see `Envoy.stop`), end Envoy, remove the folder. Who is still held is answered before."""
        held_seconds = drain_seconds * _OF_DRAIN_FOR_HELD
        last_call = asyncio.get_running_loop().call_later(held_seconds, self.hold.give_up)
        await self.envoy.stop(drain_seconds, leaving_seconds)
        last_call.cancel()
        await self.hold.stop()
        await self._discovery.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _can_answer(self, deployment: ObjectKey) -> bool:
        """Whether Envoy knows of a replica that can."""
        session = self._discovery.session
        wanted = self._store.wanted((ENDPOINTS, endpoints_name(deployment)))
        if session is None or wanted is None or not self.given.endpoints.get(deployment):
            return False
        return session.goes_by(wanted)

    def _is_settled(self) -> bool:
        session = self._discovery.session
        return session is not None and session.settled() and not deafness(self._store)

    def _refuse_to_be_deaf(self) -> None:
        deaf = deafness(self._store)
        if deaf:
            raise PointsmanError(deaf, where="gateway")


def _differs_in_more_than_replicas(one: RoutingInput, other: RoutingInput) -> bool:
    return (
        one.routes is not other.routes
        or one.deployments is not other.deployments
        or one.secrets is not other.secrets
        or one.fleet is not other.fleet
    )

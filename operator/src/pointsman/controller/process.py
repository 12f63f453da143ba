"""The operator put together: watches, store, election, workers. Composition only."""

import asyncio
import gc
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from random import Random

import structlog

from pointsman.api import ObjectKey
from pointsman.catalog import shipped_catalog
from pointsman.controller.abilities import Abilities
from pointsman.controller.acting import MANAGER, Actor, Announce
from pointsman.controller.children import Children
from pointsman.controller.comparing import Comparison
from pointsman.controller.engine_reports import EngineReports
from pointsman.controller.gateways import Gateways
from pointsman.controller.health import HealthPage
from pointsman.controller.hub import Hub
from pointsman.controller.identity import Ident
from pointsman.controller.metrics import OperatorMetrics
from pointsman.controller.modeldeployment import holding
from pointsman.controller.modeldeployment.reconciler import CHILDREN, ModelDeploymentReconciler
from pointsman.controller.modelroute.book import RouteBook
from pointsman.controller.modelroute.reconciler import ModelRouteReconciler
from pointsman.controller.node_offers import is_unplaced, offers_something_else
from pointsman.controller.ours import of_ours
from pointsman.controller.plan import Announcement
from pointsman.controller.platform_view import FRESH_SECONDS, PlatformView
from pointsman.controller.primaries import Primaries
from pointsman.controller.primary import PrimaryWatch
from pointsman.controller.settings import OperatorSettings
from pointsman.controller.together import together
from pointsman.controller.work_queue import WorkQueue
from pointsman.controller.workers import Workers
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Credentials
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.errors import LeadershipLost
from pointsman.kube.events import EventRecorder, EventType, Occurrence
from pointsman.kube.fence import Fence
from pointsman.kube.informer import Informer, Listener
from pointsman.kube.lease import Election
from pointsman.kube.namespaces import namespace_selections
from pointsman.kube.objects import (
    LEADER_WORKER_SET,
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    NAMESPACE,
    NODE,
    POD,
    POD_MONITOR,
    Kind,
    KubeObject,
    key_of,
    label_selector,
)
from pointsman.kube.packed import Packed
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.server_version import server_version
from pointsman.kube.store import Store
from pointsman.kube.writer import KubeWriter
from pointsman.workloads import surroundings_of
from pointsman.workloads.naming import DEPLOYMENT

_HANGS_SECONDS = 300.0
"""A look at one object ends within the API server's own timeouts, many times over."""
_FLUSH_SECONDS = 2.0
_GATHER_SECONDS = 0.25
"""A pod that starts changes several times within a moment: one look at all of it is one status written. What
a user changed is looked at immediately."""
_COLLECT_AFTER = (20_000, 20, 20)
"""What is kept is trees of JSON without cycles: to look through them after each 700 new ones is a sixth of
the work on a thousand deployments."""
_GATEWAYS_SECONDS = 0.5
"""Gateways have a changed route in use within that long: its status is written once, with their word."""
_ROOM_SECONDS = 2 * FRESH_SECONDS
_HEARD_SECONDS = 5.0
"""A leader that begins waits so long for what gateways say, or it would unsay what the former one said."""
_OURS = frozenset({MANAGER})
_OPTIONAL = frozenset({LEADER_WORKER_SET, POD_MONITOR, NAMESPACE})
"""Other projects' kinds. Namespaces that may not be read have no labels but their names."""


class Operator:
    """One replica. `run` returns when `stop` is set, or the process was asked to end, and all has ended."""

    def __init__(self, credentials: Credentials, settings: OperatorSettings) -> None:
        self._credentials = credentials
        self._settings = settings
        self._log = structlog.get_logger("operator")
        self.metrics = OperatorMetrics()
        self._queue: WorkQueue[Ident] = WorkQueue(Random())
        self._deployments = Primaries(MODEL_DEPLOYMENT, self._is_due, holding.keep)
        self._routes = Primaries(MODEL_ROUTE, self._route_changed)
        self._book = RouteBook(settings.fleet)
        self._gateways = (
            None if settings.gateways is None else Gateways(settings.gateways, self._gateways_say)
        )
        self._children = Children(self._child_changed)
        self._reports = EngineReports(self._child_changed, Random())
        self._hub = Hub(settings.hub_url, self._child_changed, proxy=surroundings_of(settings.fleet).proxy)
        self._stores: dict[Kind, Store] = {}
        self._informers: list[Informer] = []
        self._workers: Workers | None = None
        self._is_leading = False
        self._looks_for_room: asyncio.TimerHandle | None = None

    async def run(self, stop: asyncio.Event) -> None:
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        page = HealthPage(self.metrics, self._is_synced, self._stalled)
        await page.start(self._settings.address, self._settings.port)
        try:
            async with Connection(self._credentials, observer=self.metrics.requested) as connection:
                abilities = Abilities(partial(server_version, connection), self._look_at_all)
                self._make_informers(KubeReader(connection), abilities)
                self._make_gauges()
                await self._run(connection, abilities, stop)
        finally:
            self._queue.close()
            await page.stop()

    async def _run(self, connection: Connection, abilities: Abilities, stop: asyncio.Event) -> None:
        primary = PrimaryWatch(
            self._credentials,
            (MODEL_DEPLOYMENT, MODEL_ROUTE),
            self._settings.namespaces,
            self._saw,
        )
        watching = asyncio.create_task(primary.run(stop), name="watch our kinds")
        tasks = [
            watching,
            asyncio.create_task(abilities.run(), name="abilities"),
            asyncio.create_task(self._lead_when_elected(connection, abilities), name="election"),
            *(asyncio.create_task(one.run(), name=f"informer {one.selection}") for one in self._informers),
        ]
        try:
            # kopf takes the signals that end the process: when it has ended, so does everything.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stop.set()
            for task in reversed(tasks):
                if task is not watching:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _lead_when_elected(self, connection: Connection, abilities: Abilities) -> None:
        reader = KubeReader(connection)

        async def lead(fence: Fence) -> None:
            await self._lead(reader, KubeWriter(connection, fence), abilities)

        while True:
            election = Election(reader, KubeWriter(connection), self._settings.lease, self._settings.identity)
            try:
                await election.run(lead)
            except LeadershipLost as error:
                self._log.warning("leadership_lost", why=str(error))

    async def _lead(self, reader: KubeReader, writer: KubeWriter, abilities: Abilities) -> None:
        """Decide and write, until cancelled. Nothing is decided before what we own is known completely."""
        await abilities.known()
        await self._synced(reader)
        recorder = EventRecorder(writer, MANAGER, self._settings.identity)
        announce = _announcer(recorder)
        actor = Actor(reader, writer, self._children, announce)
        platform = PlatformView(
            self._settings,
            shipped_catalog(),
            self._stores[NODE],
            self._stores[POD],
            abilities.added_to,
        )
        reconciler = ModelDeploymentReconciler(
            self._deployments,
            self._children,
            actor,
            platform,
            _now,
            self._reports.of,
            self._hub.of,
        )
        routes = ModelRouteReconciler(
            self._routes,
            self._deployments,
            self._book,
            # Of its own: a route and a deployment of one name are two owners.
            Actor(reader, writer, self._children, announce),
            lambda key: () if self._gateways is None else self._gateways.said_of(key),
            _now,
            url=self._settings.gateway_url,
        )
        by_kind = {MODEL_DEPLOYMENT.kind: reconciler.reconcile, MODEL_ROUTE.kind: routes.reconcile}
        self._workers = Workers(self._queue, lambda ident: by_kind[ident.kind](ident.key), self.metrics)
        telling = asyncio.create_task(recorder.run(), name="events")
        self._log.info("leads", deployments=len(self._deployments), routes=len(self._routes))
        self._is_leading = True
        for kind, primaries in ((MODEL_DEPLOYMENT, self._deployments), (MODEL_ROUTE, self._routes)):
            for key in primaries:
                self._is_due(Ident(kind.kind, key))
        try:
            # What asks others has begun before anyone waits for an answer.
            await together(
                {
                    "ask gateways": self._ask_gateways(),
                    "ask engines": self._reports.run(),
                    "ask the hub": self._hub.run(),
                    "compare with a list": self._comparison(reader).run(),
                    "work": self._work(self._workers),
                }
            )
        finally:
            self._is_leading = False
            self._workers = None
            await recorder.flush(_FLUSH_SECONDS)
            telling.cancel()

    async def _work(self, workers: Workers) -> None:
        if self._gateways is not None:
            await self._gateways.heard(_HEARD_SECONDS)
        await workers.run()

    async def _synced(self, reader: KubeReader) -> None:
        """Wait until every list is complete. A kind that is not installed has no objects."""
        for informer in self._informers:
            await informer.complete(_OPTIONAL)
        await self._comparison(reader).first()

    def _comparison(self, reader: KubeReader) -> Comparison:
        kinds = (self._deployments, self._routes)
        return Comparison(reader, kinds, self._settings.namespaces, self._saw)

    async def _ask_gateways(self) -> None:
        if self._gateways is not None:
            await self._gateways.run()

    def _saw(self, kind: Kind, obj: KubeObject, gone: bool) -> None:
        """One of our kinds came, changed or went."""
        primaries = self._routes if kind == MODEL_ROUTE else self._deployments
        if not primaries.saw(obj, gone):
            return
        if kind == MODEL_ROUTE:
            concerned = self._book.saw_route(obj, gone)
        else:
            concerned = self._book.saw_deployment(obj, gone)
        for key in concerned:
            self._route_changed(Ident(MODEL_ROUTE.kind, key))

    def _saw_namespace(self, before: KubeObject | None, now: KubeObject | None) -> None:
        name = key_of(now if now is not None else before or {}).name
        for key in self._book.saw_namespace(name, now):
            self._route_changed(Ident(MODEL_ROUTE.kind, key))

    def _saw_node(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """What fits nowhere is looked at again, once the view of the platform is no longer that of before."""
        if self._looks_for_room is None and self._is_leading and offers_something_else(before, now):
            loop = asyncio.get_running_loop()
            self._looks_for_room = loop.call_later(_ROOM_SECONDS, self._look_at_unplaced)

    def _look_at_unplaced(self) -> None:
        self._looks_for_room = None
        for key in self._deployments:
            if is_unplaced(self._deployments.get(key) or {}):
                self._is_due(Ident(MODEL_DEPLOYMENT.kind, key))

    def _is_due(self, ident: Ident, after_seconds: float = 0.0) -> None:
        """Who begins to lead looks at everything: until then what was seen need not be kept."""
        if self._is_leading:
            if after_seconds:
                self._queue.add_after(ident, after_seconds)
            else:
                self._queue.add(ident)

    def _route_changed(self, ident: Ident) -> None:
        self._is_due(ident, _GATEWAYS_SECONDS)

    def _gateways_say(self, routes: Iterable[ObjectKey] | None) -> None:
        for key in tuple(self._routes) if routes is None else routes:
            self._is_due(Ident(MODEL_ROUTE.kind, key), _GATHER_SECONDS)

    def _look_at_all(self) -> None:
        for key in self._deployments:
            self._is_due(Ident(MODEL_DEPLOYMENT.kind, key))

    def _child_changed(self, deployment: ObjectKey) -> None:
        self._is_due(Ident(MODEL_DEPLOYMENT.kind, deployment), _GATHER_SECONDS)

    def _pod_listener(self) -> Listener:
        heard = self._children.listener(POD)

        def hear(before: KubeObject | None, now: KubeObject | None) -> None:
            self._reports.hear(before, now)
            heard(before, now)

        return hear

    def _make_informers(self, reader: KubeReader, abilities: Abilities) -> None:
        labelled = label_selector({}, present=(DEPLOYMENT,))
        for kind in (*CHILDREN, POD):
            self._stores[kind] = Store()
            for namespace in self._settings.namespaces or ("",):
                selection = Selection(kind, namespace, labels=labelled)
                self._informers.append(
                    Informer(
                        reader,
                        selection,
                        # Pods are made by others.
                        self._pod_listener() if kind == POD else of_ours(self._children.listener(kind)),
                        store=self._stores[kind],
                        keep=_keep_child,
                        on_served=partial(abilities.heard, selection),
                    )
                )
        if self._gateways is not None:
            self._informers.append(Informer(reader, self._gateways.selection, self._gateways.hear))
        if self._book.ask_for_namespaces:
            for selection in namespace_selections(self._settings.namespaces):
                self._informers.append(
                    Informer(reader, selection, self._saw_namespace, keep=_without_managers)
                )
        self._stores[NODE] = Store()
        self._informers.append(
            Informer(
                reader, Selection(NODE), self._saw_node, store=self._stores[NODE], keep=_without_managers
            )
        )

    def _make_gauges(self) -> None:
        self.metrics.gauge("queue_depth", "Objects that are due.", lambda: self._queue.depth)
        self.metrics.gauge("leading", "Whether this replica decides.", lambda: float(self._is_leading))
        for informer in self._informers:
            self.metrics.watch_age(str(informer.selection.kind), partial(getattr, informer, "age_seconds"))

    def _is_synced(self) -> bool:
        return bool(self._informers) and all(
            one.synced.is_set() or one.is_missing(_OPTIONAL) for one in self._informers
        )

    def _stalled(self) -> str:
        if self._workers is None:
            return ""
        what, seconds = self._workers.longest
        return f"{what} has been worked on for {seconds:.0f} s\n" if seconds > _HANGS_SECONDS else ""


def _keep_child(obj: KubeObject) -> KubeObject:
    return Packed(keep_own_fields(obj, _OURS))


def _without_managers(obj: KubeObject) -> KubeObject:
    return keep_own_fields(obj, frozenset())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _announcer(recorder: EventRecorder) -> Announce:
    def announce(about: KubeObject, said: Announcement) -> None:
        kind = EventType.WARNING if said.is_warning else EventType.NORMAL
        recorder.record(about, Occurrence(kind, said.reason, said.message, "Reconcile"))

    return announce

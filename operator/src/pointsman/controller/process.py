"""The operator put together: watches, store, election, workers. Composition only."""

import asyncio
import gc
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random

import structlog

from pointsman.api.fleet import GuardrailSettings
from pointsman.catalog import shipped_catalog
from pointsman.controller.abilities import Abilities
from pointsman.controller.acting import MANAGER, Actor, Announce
from pointsman.controller.adapter_reports import AdapterReports
from pointsman.controller.children import Children
from pointsman.controller.comparing import Comparison
from pointsman.controller.due import Due
from pointsman.controller.engine_reports import EngineReports
from pointsman.controller.gateways import Gateways
from pointsman.controller.guardrailpolicy.exceptions import ending_by_policy
from pointsman.controller.guardrailpolicy.reconciler import GuardrailPolicyReconciler, owner_policy
from pointsman.controller.guardrailpolicy.reporting import Reporting
from pointsman.controller.guardrailpolicy.reports import KINDS as REPORT_KINDS
from pointsman.controller.guardrailpolicy.stated import keep_stated
from pointsman.controller.guardrailpolicy.surroundings import Surroundings
from pointsman.controller.hub import Hub
from pointsman.controller.informers import Informers
from pointsman.controller.installations import Installations
from pointsman.controller.metrics import OperatorMetrics
from pointsman.controller.modeldeployment.reconciler import ModelDeploymentReconciler
from pointsman.controller.modelroute.reconciler import ModelRouteReconciler
from pointsman.controller.plan import Announcement
from pointsman.controller.platform_view import PlatformView
from pointsman.controller.primary import PrimaryWatch
from pointsman.controller.recording.fleet import recorder_of
from pointsman.controller.recording.gauges import make_gauges
from pointsman.controller.settings import OperatorSettings
from pointsman.controller.workers import Workers
from pointsman.errors import PointsmanError
from pointsman.health_page import HealthPage
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Credentials
from pointsman.kube.events import EventRecorder, EventType, Occurrence
from pointsman.kube.leading import lead_whenever_elected
from pointsman.kube.objects import (
    CONFIG_MAP,
    GUARDRAIL_POLICY,
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    MUTATING_POLICY,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    KubeObject,
)
from pointsman.kube.reader import KubeReader
from pointsman.kube.server_version import server_version
from pointsman.kube.together import together
from pointsman.kube.writer import KubeWriter
from pointsman.policy.packs import shipped_library
from pointsman.workloads import surroundings_of

_HANGS_SECONDS = 300.0
"""A look at one object ends within the API server's own timeouts, many times over."""
_FLUSH_SECONDS = 2.0
_COLLECT_AFTER = (20_000, 20, 20)
"""What is kept is trees of JSON without cycles: to look through them after each 700 new ones is a sixth of
the work on a thousand deployments."""
_HEARD_SECONDS = 5.0
"""A leader that begins waits so long for what gateways say, or it would unsay what the former one said."""


class Operator:
    """One replica. `run` returns when `stop` is set, or the process was asked to end, and all has ended."""

    def __init__(self, credentials: Credentials, settings: OperatorSettings) -> None:
        self._credentials = credentials
        self._settings = settings
        self._log = structlog.get_logger("operator")
        self.metrics = OperatorMetrics()
        evidence = settings.fleet.evidence
        if evidence is not None and settings.namespaces:
            raise PointsmanError(
                "an installation that watches some namespaces has no policies to record",
                where="fleet.yaml: evidence",
                todo="remove it, or watch all namespaces",
            )
        self._due = Due(
            settings.fleet,
            None if evidence is None else partial(recorder_of, settings=evidence, writer=settings.identity),
        )
        self._gateways = (
            None if settings.gateways is None else Gateways(settings.gateways, self._due.gateways_say)
        )
        self._children = Children(self._due.child_changed)
        self._due.findings.look_beside(Surroundings(self._due.deployments, self._children).of)
        self._natives = Children(self._due.native_changed, owner_policy, lambda *_: True)
        # Policies are of the whole cluster: who watches some namespaces has no right to them.
        self._has_policies = not settings.namespaces
        own = (MODEL_DEPLOYMENT, MODEL_ROUTE)
        self._kinds = (*own, GUARDRAIL_POLICY) if self._has_policies else own
        self._reports = EngineReports(self._due.child_changed, Random())
        self._adapters = AdapterReports(self._due.child_changed, Random())
        proxy = surroundings_of(settings.fleet).proxy
        self._hub = Hub(settings.hub_url, self._due.child_changed, proxy=proxy)
        self._installations = Installations(str(settings.lease))
        self._informers: Informers | None = None
        self._workers: Workers | None = None

    async def run(self, stop: asyncio.Event) -> None:
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        page = HealthPage(self.metrics.page, self._is_synced, self._stalled)
        await page.start(self._settings.address, self._settings.port)
        try:
            async with Connection(self._credentials, observer=self.metrics.requested) as connection:
                abilities = Abilities(partial(server_version, connection), self._due.platform_changed)
                self._informers = self._followed(KubeReader(connection), abilities)
                self._make_gauges(self._informers)
                await self._run(connection, abilities, self._informers, stop)
        finally:
            self._due.queue.close()
            await page.stop()

    async def _run(
        self, connection: Connection, abilities: Abilities, informers: Informers, stop: asyncio.Event
    ) -> None:
        primary = PrimaryWatch(
            self._credentials,
            self._kinds,
            self._settings.namespaces,
            self._due.saw,
        )

        def lead(writer: KubeWriter) -> Awaitable[None]:
            return self._lead(KubeReader(connection), writer, abilities, informers)

        leading = lead_whenever_elected(connection, self._settings, lead)
        watching = asyncio.create_task(primary.run(stop), name="watch our kinds")
        tasks = [
            watching,
            asyncio.create_task(abilities.run(), name="abilities"),
            asyncio.create_task(leading, name="election"),
            *(asyncio.create_task(one.run(), name=f"informer {one.selection}") for one in informers),
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

    async def _lead(
        self, reader: KubeReader, writer: KubeWriter, abilities: Abilities, informers: Informers
    ) -> None:
        """Decide and write, until cancelled. Nothing is decided before what we own is known completely."""
        await abilities.known()
        await informers.complete()
        comparison = self._comparison(reader)
        await comparison.first()
        recorder = EventRecorder(writer, MANAGER, self._settings.identity)
        announce = _announcer(recorder)
        actor = Actor(reader, writer, self._children, announce)
        platform = PlatformView(
            self._settings,
            shipped_catalog(),
            informers.nodes,
            informers.pods,
            informers.others,
            abilities.added_to,
        )
        reconciler = ModelDeploymentReconciler(
            self._due.deployments,
            self._children,
            actor,
            platform,
            _now,
            lambda key: replace(self._reports.of(key), adapters=self._adapters.of(key)),
            self._hub.of,
            self._installations,
            announce,
        )
        routes = ModelRouteReconciler(
            self._due.routes,
            self._due.deployments,
            self._due.book,
            # Of its own: a route and a deployment of one name are two owners.
            Actor(reader, writer, self._children, announce),
            lambda key: () if self._gateways is None else self._gateways.said_of(key),
            _now,
            self._installations,
            url=self._settings.gateway_url,
        )
        policies = GuardrailPolicyReconciler(
            self._due.policies,
            self._natives,
            # What holds a rule is never left to who changes it.
            Actor(reader, writer, self._natives, announce, truce_seconds=0.0, each_alone=True),
            self._due.in_force,
            self._due.findings,
            shipped_library,
            lambda: datetime.now(UTC),
            lambda: abilities.serves(MUTATING_POLICY),
            (self._settings.lease.namespace,),
            self._due.policy_concerned,
            lambda: comparison.unserved,
            (self._settings.fleet.guardrails or GuardrailSettings()).exception_reminder.seconds,
            recorder=self._due.recorder,
        )
        by_kind = {
            MODEL_DEPLOYMENT.kind: reconciler.reconcile,
            MODEL_ROUTE.kind: routes.reconcile,
            GUARDRAIL_POLICY.kind: policies.reconcile,
        }
        self._workers = Workers(self._due.queue, lambda ident: by_kind[ident.kind](ident.key), self.metrics)
        telling = asyncio.create_task(recorder.run(), name="events")
        self._log.info("leads", deployments=len(self._due.deployments), routes=len(self._due.routes))
        self._due.begin()
        try:
            # What asks others has begun before anyone waits for an answer.
            await together(
                {
                    "ask gateways": self._ask_gateways(),
                    "ask engines": self._reports.run(),
                    "ask for adapters": self._adapters.run(),
                    "ask the hub": self._hub.run(),
                    "keep the fleet's policies": self._keep_stated(reader, writer),
                    "judge what is there": self._due.findings.run(),
                    "judge pods": self._judge_pods(),
                    "keep reports": self._keep_reports(reader, writer),
                    "record evidence": self._record(writer),
                    "compare with a list": comparison.run(),
                    "work": self._work(self._workers),
                }
            )
        finally:
            self._due.end()
            self._workers = None
            await recorder.flush(_FLUSH_SECONDS)
            telling.cancel()

    async def _keep_reports(self, reader: KubeReader, writer: KubeWriter) -> None:
        api = (self._settings.fleet.guardrails or GuardrailSettings()).reports
        if api is not None and self._has_policies:
            policies = self._due.policies
            reporting = Reporting(
                REPORT_KINDS[api], reader, writer, self._due.in_force, self._due.findings, lambda: [*policies]
            )
            self._due.findings.listen(reporting.changed)
            await reporting.run()

    async def _keep_stated(self, reader: KubeReader, writer: KubeWriter) -> None:
        if self._has_policies:
            await keep_stated(reader, writer, self._settings.fleet.policies)

    async def _judge_pods(self) -> None:
        if self._due.pods is not None:
            await self._due.pods.run()

    async def _record(self, writer: KubeWriter) -> None:
        if self._due.recorder is not None:
            await self._due.recorder.run(writer.still_leads)

    async def _work(self, workers: Workers) -> None:
        if self._gateways is not None:
            await self._gateways.heard(_HEARD_SECONDS)
        await workers.run()

    def _comparison(self, reader: KubeReader) -> Comparison:
        kinds = [self._due.deployments, self._due.routes]
        if self._has_policies:
            kinds.append(self._due.policies)
        return Comparison(reader, kinds, self._settings.namespaces, self._due.saw, self._due.served_changed)

    async def _ask_gateways(self) -> None:
        if self._gateways is not None:
            await self._gateways.run()

    def _followed(self, reader: KubeReader, abilities: Abilities) -> Informers:
        informers = Informers(reader, self._settings.namespaces)
        before_them = {
            POD: (self._reports.hear, self._adapters.hear, self._due.saw_pod),
            CONFIG_MAP: (self._adapters.hear_list,),
            NETWORK_POLICY: (self._due.findings.saw_child,),
            POD_DISRUPTION_BUDGET: (self._due.findings.saw_child,),
        }
        informers.follow_children(self._children, before_them, abilities.heard)
        if self._gateways is not None:
            informers.follow_gateways(self._gateways.selection, self._gateways.hear)
        if self._has_policies:
            informers.follow_natives(self._natives, abilities.heard)
        if self._due.book.ask_for_namespaces or self._has_policies:
            informers.follow_namespaces(self._due.saw_namespace)
        informers.follow_nodes(self._due.saw_node)
        informers.follow_others(self._due.saw_other)
        return informers

    def _make_gauges(self, informers: Informers) -> None:
        self.metrics.gauge("queue_depth", "Objects that are due.", lambda: self._due.queue.depth)
        self.metrics.gauge("leading", "Whether this replica decides.", lambda: float(self._due.is_leading))
        self.metrics.gauge_by(
            "exceptions_ending",
            "Exceptions of guardrail policies that end soon.",
            "policy",
            lambda: ending_by_policy(filter(None, map(self._due.policies.get, self._due.policies))),
        )
        if self._due.recorder is not None:
            make_gauges(self.metrics, self._due.recorder, lambda: self._due.is_leading)
        for informer in informers:
            self.metrics.watch_age(str(informer.selection.kind), partial(getattr, informer, "age_seconds"))

    def _is_synced(self) -> bool:
        return self._informers is not None and self._informers.are_complete

    def _stalled(self) -> str:
        if self._workers is None:
            return ""
        what, seconds = self._workers.longest
        return f"{what} has been worked on for {seconds:.0f} s\n" if seconds > _HANGS_SECONDS else ""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _announcer(recorder: EventRecorder) -> Announce:
    def announce(about: KubeObject, said: Announcement) -> None:
        kind = EventType.WARNING if said.is_warning else EventType.NORMAL
        recorder.record(about, Occurrence(kind, said.reason, said.message, "Reconcile"))

    return announce

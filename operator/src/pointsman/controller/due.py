"""Who is looked at again, and when: what was seen, and whom it concerns.

Only who leads notes it: until then what was seen need not be kept, as who begins to lead looks at everything.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from random import Random

from pointsman.api import FleetSettings, ObjectKey
from pointsman.controller.guardrailpolicy.findings import Findings
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.identity import Ident
from pointsman.controller.modeldeployment import holding
from pointsman.controller.modelroute.book import RouteBook
from pointsman.controller.node_offers import is_unplaced, offers_something_else
from pointsman.controller.platform_view import FRESH_SECONDS, asks_for_devices
from pointsman.controller.primaries import Primaries
from pointsman.controller.recording.pods import JudgedPods
from pointsman.controller.recording.recorder import Recorder
from pointsman.controller.work_queue import WorkQueue
from pointsman.kube.objects import (
    GUARDRAIL_POLICY,
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    Kind,
    KubeObject,
    key_of,
    labels_of,
)

_GATHER_SECONDS = 0.25
"""A pod that starts changes several times within a moment: one look at all of it is one status written. What
a user changed is looked at immediately."""
_GATEWAYS_SECONDS = 0.5
"""Gateways have a changed route in use within that long: its status is written once, with their word."""
_FINDINGS_SECONDS = 1.0
"""Objects are applied in crowds: one status for all that is found in one."""
_NATIVES_SECONDS = 0.2
"""What holds a rule is put back within a second, and no faster: somebody may write it again at once."""
_PODS_SECONDS = 1.0
"""Pods come and go in crowds: one look at those of a deployment is for all that happened in it."""
_ROOM_SECONDS = 2 * FRESH_SECONDS


def _now() -> datetime:
    return datetime.now(UTC)


class Due:
    """Hears of everything; `queue` has what is due. Also holds our own kinds, of which it is told first."""

    def __init__(
        self,
        fleet: FleetSettings,
        recorder: Callable[["Due"], Recorder] | None = None,
        now: Callable[[], datetime] = _now,
        pods_gather_seconds: float = _PODS_SECONDS,
    ) -> None:
        """`recorder` makes what keeps the record of evidence, where one is kept."""
        self.queue: WorkQueue[Ident] = WorkQueue(Random())
        self.deployments = Primaries(MODEL_DEPLOYMENT, self._is_due, holding.keep)
        self.routes = Primaries(MODEL_ROUTE, self._route_changed)
        self.policies = Primaries(GUARDRAIL_POLICY, self._is_due)
        self.recorder = None if recorder is None else recorder(self)
        self.pods: JudgedPods | None = None
        """For the record alone: nobody else asks what rules say of pods that are there."""
        self.in_force = InForce()
        heard = None if self.recorder is None else self.recorder.heard
        if heard is not None:
            self.pods = JudgedPods(self.in_force, heard, self._has_deployment, now, pods_gather_seconds)
        self.findings = Findings(self.in_force, self._look, self._places, self._found_something, now, heard)
        self.book = RouteBook(fleet)
        self.is_leading = False
        self._looks_for_room: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """This replica leads from now on, until `end`."""
        self.is_leading = True
        self.in_force.begin()
        if self.recorder is not None:
            self.recorder.begin()
        for primaries in (self.deployments, self.routes, self.policies):
            for key in primaries:
                self._is_due(Ident(primaries.kind.kind, key))

    def end(self) -> None:
        self.is_leading = False

    def saw(self, kind: Kind, obj: KubeObject, gone: bool) -> None:
        """One of our kinds came, changed or went."""
        if not self._primaries(kind).saw(obj, gone) or kind == GUARDRAIL_POLICY:
            return
        came_or_went = self.findings.saw(kind, key_of(obj))
        if kind == MODEL_ROUTE:
            concerned = self.book.saw_route(obj, gone)
        else:
            concerned = self.book.saw_deployment(obj, gone)
            if came_or_went:
                if self.pods is not None:
                    self.pods.saw_deployment(key_of(obj))
                for key in concerned:
                    self.findings.look_again(MODEL_ROUTE, key)
        for key in concerned:
            self._route_changed(Ident(MODEL_ROUTE.kind, key))

    def saw_namespace(self, before: KubeObject | None, now: KubeObject | None) -> None:
        name = key_of(now if now is not None else before or {}).name
        self.in_force.saw_namespace(name, None if now is None else labels_of(now))
        for key in self.book.saw_namespace(name, now):
            self._route_changed(Ident(MODEL_ROUTE.kind, key))

    def saw_pod(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """A pod with the label of a deployment."""
        if self.pods is not None:
            self.pods.saw(before, now)

    def saw_node(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """What fits nowhere is looked at again, once the view of the platform is no longer that of before."""
        if offers_something_else(before, now):
            self._look_for_room()

    def saw_other(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """A pod of somebody else: the devices of one that goes are free."""
        if asks_for_devices(before) and not asks_for_devices(now):
            self._look_for_room()

    def record_says(self, policy: ObjectKey, after_seconds: float) -> None:
        """There is something else to say of the record of evidence."""
        self._is_due(Ident(GUARDRAIL_POLICY.kind, policy), after_seconds)

    def native_changed(self, policy: ObjectKey) -> None:
        """A native object of a policy is something else: it is put back."""
        self._is_due(Ident(GUARDRAIL_POLICY.kind, policy), _NATIVES_SECONDS)

    def policy_concerned(self, policy: ObjectKey) -> None:
        """Another policy says something else of its rules."""
        self._is_due(Ident(GUARDRAIL_POLICY.kind, policy), _FINDINGS_SECONDS)

    def served_changed(self) -> None:
        """Other kinds are served than before, which every policy may have rules for."""
        for key in self.policies:
            self._is_due(Ident(GUARDRAIL_POLICY.kind, key))

    def child_changed(self, deployment: ObjectKey) -> None:
        """What a deployment owns, or what is known of that, is something else."""
        self._is_due(Ident(MODEL_DEPLOYMENT.kind, deployment), _GATHER_SECONDS)

    def gateways_say(self, routes: Iterable[ObjectKey] | None) -> None:
        """A gateway says something else of these routes, None: of any."""
        for key in tuple(self.routes) if routes is None else routes:
            self._is_due(Ident(MODEL_ROUTE.kind, key), _GATHER_SECONDS)

    def platform_changed(self) -> None:
        """The API server can something else than before, which every deployment may use."""
        for key in self.deployments:
            self._is_due(Ident(MODEL_DEPLOYMENT.kind, key))

    def _primaries(self, kind: Kind) -> Primaries:
        if kind == GUARDRAIL_POLICY:
            return self.policies
        return self.routes if kind == MODEL_ROUTE else self.deployments

    def _look(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        return self._primaries(kind).get(key)

    def _has_deployment(self, key: ObjectKey) -> bool:
        return self.deployments.get(key) is not None

    def _places(self) -> Iterator[tuple[Kind, ObjectKey]]:
        for primaries in (self.deployments, self.routes):
            yield from ((primaries.kind, key) for key in primaries)

    def _found_something(self, policy: ObjectKey) -> None:
        self._is_due(Ident(GUARDRAIL_POLICY.kind, policy), _FINDINGS_SECONDS)

    def _look_for_room(self) -> None:
        if self._looks_for_room is None and self.is_leading:
            loop = asyncio.get_running_loop()
            self._looks_for_room = loop.call_later(_ROOM_SECONDS, self._look_at_unplaced)

    def _look_at_unplaced(self) -> None:
        self._looks_for_room = None
        for key in self.deployments:
            if is_unplaced(self.deployments.get(key) or {}):
                self._is_due(Ident(MODEL_DEPLOYMENT.kind, key))

    def _route_changed(self, ident: Ident) -> None:
        self._is_due(ident, _GATEWAYS_SECONDS)

    def _is_due(self, ident: Ident, after_seconds: float = 0.0) -> None:
        if self.is_leading:
            if after_seconds:
                self.queue.add_after(ident, after_seconds)
            else:
                self.queue.add(ident)

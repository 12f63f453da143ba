"""Gather, decide, act, for one ModelDeployment at a time. No decision is made here."""

from collections.abc import Callable
from dataclasses import replace

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.controller.acting import Actor, Announce, Statuses
from pointsman.controller.children import Children
from pointsman.controller.installations import LEFT_SECONDS, Installations
from pointsman.controller.modeldeployment.decide import decide
from pointsman.controller.modeldeployment.frozen import to_pin
from pointsman.controller.modeldeployment.holding import is_written
from pointsman.controller.modeldeployment.pinning import HubName, Pin
from pointsman.controller.modeldeployment.snapshot import Platform, Reports, Snapshot
from pointsman.controller.plan import Plan
from pointsman.controller.reading import Unreadable, read, said_of
from pointsman.kube.objects import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    LEADER_WORKER_SET,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    POD_MONITOR,
    SERVICE,
    KubeObject,
)

WORKLOADS = (DEPLOYMENT, LEADER_WORKER_SET)
OTHERS = (CONFIG_MAP, SERVICE, NETWORK_POLICY, POD_DISRUPTION_BUDGET, POD_MONITOR)
CHILDREN = (*WORKLOADS, *OTHERS, CONTROLLER_REVISION)
"""Every kind that a ModelDeployment is brought about with, but pods, which others make."""


class ModelDeploymentReconciler:
    """`platform`, `now` and `reports` are asked at each look: nodes come and go, time passes."""

    def __init__(
        self,
        objects: Statuses,
        children: Children,
        actor: Actor,
        platform: Callable[[], Platform],
        now: Callable[[], str],
        reports: Callable[[ObjectKey], Reports],
        pin: Callable[[HubName, ObjectKey], Pin | None],
        installations: Installations,
        announce: Announce,
    ) -> None:
        """`pin` says what a name of the hub is; None while it asks, and the deployment is looked at again.
        `announce` is told what is said of one that is left to another of `installations`.
        """
        self._objects = objects
        self._children = children
        self._actor = actor
        self._platform = platform
        self._now = now
        self._reports = reports
        self._pin = pin
        self._installations = installations
        self._announce = announce

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Bring it about; gives after how many seconds to look again. Raises KubeError to be tried again."""
        live = self._objects.get(key)
        if live is None:
            self._actor.forget(key)
            self._installations.forget(key)
            return None
        other = self._installations.left_to(key, self._children.of(key, (NETWORK_POLICY,)))
        if other:
            self._announce(live, self._installations.announcement(other))
            return LEFT_SECONDS
        plan = self._plan(live, key)
        if plan is None:
            # The hub is asked first; its answer brings the deployment back.
            return None
        again = await self._actor.act(self._installations.noted(plan), key, self._objects)
        self._installations.brought_about(key)
        return 0.0 if again else plan.again_after_seconds

    def _plan(self, live: KubeObject, key: ObjectKey) -> Plan | None:
        deployment = read(ModelDeployment, live)
        if isinstance(deployment, Unreadable):
            return said_of(deployment, live, "Progressing", self._now())
        snapshot = Snapshot(
            deployment=deployment,
            platform=self._platform(),
            now=self._now(),
            revisions=self._children.of(key, (CONTROLLER_REVISION,)),
            workloads=self._children.of(key, WORKLOADS),
            others=self._children.of(key, OTHERS),
            pods=self._children.of(key, (POD,)),
            contests=self._actor.contests(key),
            obstacle=self._actor.obstacle(key),
            reports=self._reports(key),
            replicas_written=is_written(live),
        )
        question = to_pin(snapshot)
        if question is None:
            return decide(snapshot)
        pin = self._pin(question.name, key)
        return None if pin is None and question.is_urgent else decide(replace(snapshot, pin=pin))

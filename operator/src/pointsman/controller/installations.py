"""Another installation of Pointsman that acts on the same objects: found, said, and not fought over.

Both write under one field manager, so that one may follow the other; nothing in an object but this says
which of them it was. So each notes its name at the NetworkPolicy that every model of our own has. Who finds
the name of another takes the model over, as an installation that was moved must; who is taken over from is
not alone, and leaves the model to the other for a while. So a model changes hands once, and not for ever.
"""

from collections.abc import Iterable
from dataclasses import replace

import structlog

from pointsman.api import GROUP, ObjectKey
from pointsman.controller.plan import Announcement, Plan
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.objects import NETWORK_POLICY, KubeObject, annotations_of, kind_of, metadata

INSTALLATION = f"{GROUP}/installation"
LEFT_SECONDS = 3600.0
"""As long as a field is left to who takes it twice: the other installation may be gone by then."""

_REASON = "AnotherInstallation"


class Installations:
    """`name` is ours, NAMESPACE/LEASE. What is known of others lasts as long as the process."""

    def __init__(self, name: str, clock: Clock = elapsed_seconds) -> None:
        self.name = name
        self._clock = clock
        self._ours: set[ObjectKey] = set()
        self._left: dict[ObjectKey, float] = {}
        self._others: dict[str, str] = {}
        self._log = structlog.get_logger("installations")

    def left_to(self, deployment: ObjectKey, children: Iterable[KubeObject]) -> str:
        """Who a ModelDeployment with these children is left to; "" where it is ours to bring about."""
        held = next((_noted(one) for one in children if kind_of(one) == NETWORK_POLICY), "")
        if held in ("", self.name):
            return ""
        self._found(deployment.namespace, held)
        if deployment in self._ours:
            self._ours.discard(deployment)
            self._left[deployment] = self._clock() + LEFT_SECONDS
        if self._clock() < self._left.get(deployment, 0.0):
            return held
        self._left.pop(deployment, None)
        return ""

    def brought_about(self, deployment: ObjectKey) -> None:
        """We have written what there was to write of it."""
        self._ours.add(deployment)

    def forget(self, deployment: ObjectKey) -> None:
        """It is gone."""
        self._ours.discard(deployment)
        self._left.pop(deployment, None)

    def tells_of_routes(self, namespace: str) -> bool:
        """Whether statuses of a namespace's routes are ours to write. They say what the gateways of one
        installation do: of two that know of each other the first by name.
        """
        return self.name <= self._others.get(namespace, self.name)

    def noted(self, plan: Plan) -> Plan:
        """The plan with our name at what it makes."""
        return replace(plan, apply=tuple(self._with_name(one) for one in plan.apply))

    def announcement(self, other: str) -> Announcement:
        """What is said of a ModelDeployment that is left to another."""
        return Announcement(_REASON, f"{_told(other)}; {self.name} leaves this one to it", is_warning=True)

    def _found(self, namespace: str, other: str) -> None:
        if self._others.get(namespace) != other:
            self._others[namespace] = other
            self._log.warning("another_installation", namespace=namespace, other=other, why=_told(other))

    def _with_name(self, wanted: KubeObject) -> KubeObject:
        if kind_of(wanted) != NETWORK_POLICY:
            return wanted
        annotations = {**annotations_of(wanted), INSTALLATION: self.name}
        return {**wanted, "metadata": {**metadata(wanted), "annotations": annotations}}


def _noted(policy: KubeObject) -> str:
    return annotations_of(policy).get(INSTALLATION, "")


def _told(other: str) -> str:
    return (
        f"the installation of Pointsman with the lease {other} brings ModelDeployments of this namespace "
        "about too; give each namespace to one of the two by watchNamespaces, or remove one"
    )

"""What the rules say of the pods of deployments, for the record alone: all pods of a deployment at a time.

The API server judged each when it was made and never does again. In the background, one pod after the other;
what was found of a pod is kept until it or the policy changes.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import structlog

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.controller.children import deployment_of
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.recording.hearing import Hearing
from pointsman.json_text import dumped
from pointsman.kube.objects import KubeObject, key_of, metadata, uid_of
from pointsman.kube.packed import Packed, same_member
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence.gathered import JudgedPod, Made, Variety, gathered
from pointsman.policy.evidence.judged import Judged, Object, applies
from pointsman.policy.evidence.pods import KIND, controller_of, revision_of, template_digest
from pointsman.policy.verdicts import verdicts

_READ = ("labels", "annotations", "ownerReferences")
_ENDED = frozenset({"Succeeded", "Failed"})

_log = structlog.get_logger(__name__)


class JudgedPods:
    """`has_deployment` is asked whether there is such a ModelDeployment."""

    def __init__(
        self,
        in_force: InForce,
        hearing: Hearing,
        has_deployment: Callable[[ObjectKey], bool],
        now: Callable[[], datetime],
        gather_seconds: float,
    ) -> None:
        self._in_force = in_force
        self._hearing = hearing
        self._has_deployment = has_deployment
        self._now = now
        self._gather_seconds = gather_seconds
        self._pods: dict[ObjectKey, dict[ObjectKey, KubeObject]] = {}
        """By the deployment of their label."""
        self._known: dict[ObjectKey, dict[ObjectKey, dict[str, tuple[int, JudgedPod]]]] = {}
        """Of pods, by their uid, what they were when they were judged, and what was found."""
        self._varieties: dict[ObjectKey, dict[ObjectKey, Variety]] = {}
        self._due: dict[ObjectKey, dict[ObjectKey, None]] = {}
        self._something = asyncio.Event()
        self._is_looking = False
        in_force.listen(self)

    def begin(self) -> None:
        """See `Judging`."""
        for known in (self._known, self._varieties, self._due):
            known.clear()
        self._is_looking = False

    def saw(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """A pod came, changed or went; told whether this replica leads or not."""
        if before is not None and (owner := deployment_of(before)) is not None:
            self._pods.get(owner, {}).pop(key_of(before), None)
            if not self._pods.get(owner):
                self._pods.pop(owner, None)
        if now is not None and (owner := deployment_of(now)) is not None:
            self._pods.setdefault(owner, {})[key_of(now)] = now
        if before is None or now is None or not _same(before, now):
            self._note({owner for one in (before, now) if one and (owner := deployment_of(one))})

    def saw_deployment(self, deployment: ObjectKey) -> None:
        """It came or went."""
        self._note([deployment])

    def saw_namespace(self, name: str) -> None:
        """See `Judging`."""
        self._note([one for one in self._pods if one.namespace == name])

    def holds(self, policy: ObjectKey) -> None:
        """See `Judging`. What its rules said before they changed is no verdict of these."""
        self._known.pop(policy, None)
        self._varieties.pop(policy, None)
        self.again(policy)

    def again(self, policy: ObjectKey) -> None:
        """See `Judging`."""
        self._due[policy] = dict.fromkeys(self._pods)
        self._something.set()

    def forget(self, policy: ObjectKey) -> None:
        """See `Judging`."""
        for known in (self._known, self._varieties, self._due):
            known.pop(policy, None)

    def has(self, deployment: ObjectKey, pod: str = "") -> bool:
        """Whether a pod of that label is there, or that very one."""
        there = self._pods.get(deployment, {})
        return ObjectKey(deployment.namespace, pod) in there if pod else bool(there)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due, or being looked at."""
        return not self._due and not self._is_looking

    async def run(self) -> None:
        """Look at what is due until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            await asyncio.sleep(self._gather_seconds)
            while self._due:
                policy, deployments = next(iter(self._due.items()))
                # What is left of it waits behind the others.
                del self._due[policy]
                self._take_out(policy, deployments)
                if deployments:
                    self._is_looking = True
                    deployment = next(iter(deployments))
                    del deployments[deployment]
                    self._due[policy] = deployments
                    await self._look(policy, deployment)
                    await self._hearing.room()
                self._is_looking = False

    def _note(self, deployments: Collection[ObjectKey]) -> None:
        for policy in self._in_force if deployments else ():
            self._due.setdefault(policy, {}).update(dict.fromkeys(deployments))
            self._something.set()

    def _take_out(self, policy: ObjectKey, due: dict[ObjectKey, None]) -> None:
        """What the policy is not for is told at once: of many policies that are most deployments."""
        compiled = self._in_force.get(policy)
        if compiled is None:
            return
        inside = {name for name in {one.namespace for one in due} if self._is_for(compiled, name)}
        outside = [one for one in due if one.namespace not in inside]
        for one in outside:
            del due[one]
            self._known.get(policy, {}).pop(one, None)
            self._varieties.get(policy, {}).pop(one, None)
        if outside:
            self._hearing.pods_outside(compiled, outside)

    async def _look(self, policy: ObjectKey, deployment: ObjectKey) -> None:
        compiled = self._in_force.get(policy)
        if compiled is None:
            return
        before = self._known.get(policy, {}).pop(deployment, {})
        found: dict[str, tuple[int, JudgedPod]] = {}
        for key, pod in list(self._pods.get(deployment, {}).items()):
            if _has_ended(pod):
                continue
            known = before.get(uid_of(pod))
            content = _content(pod, self._in_force.namespace(key.namespace))
            if known is None or known[0] != content:
                try:
                    known = content, self._judge(compiled, key, pod)
                except Exception as error:
                    # One pod must not end the looking at all others.
                    _log.exception("not_judged", policy=policy.name, pod=str(key), why=type(error).__name__)
                    continue
                await asyncio.sleep(0)
            found[uid_of(pod)] = known
        if self._in_force.get(policy) is not compiled:
            return  # it is due again, or gone
        if found:
            self._known.setdefault(policy, {})[deployment] = found
        pods = [one for _, one in found.values()]
        looked = gathered(deployment.namespace, deployment.name, pods, self._unlike(policy, deployment, pods))
        may_return = self._has_deployment(deployment)
        self._hearing.judged_pods(compiled, deployment, looked, may_return=may_return)

    def _unlike(
        self, policy: ObjectKey, deployment: ObjectKey, pods: Collection[JudgedPod]
    ) -> Collection[Made]:
        """See `Variety`; of a deployment that is gone with its pods nothing is kept."""
        of_policy = self._varieties.setdefault(policy, {})
        variety = of_policy.setdefault(deployment, Variety())
        variety.saw(pods)
        if not pods and not self._has_deployment(deployment):
            del of_policy[deployment]
        return variety.unlike

    def _is_for(self, compiled: Compiled, namespace: str) -> bool:
        has_rules = any(PolicyKind.POD in rule.checks for rule in compiled.rules)
        return has_rules and self._in_force.is_for(compiled, namespace)

    def _judge(self, compiled: Compiled, key: ObjectKey, pod: KubeObject) -> JudgedPod:
        live = {name: value for name, value in pod.items() if name != "status"}
        namespace = self._in_force.namespace(key.namespace)
        said = verdicts([compiled], PolicyKind.POD, live, namespace, self._now())
        template = template_digest(live)
        seen = Object(KIND, key.namespace, key.name, template)
        found = tuple(Judged(seen, one, applies(one, PolicyKind.POD, live, namespace)) for one in said)
        return JudgedPod(key.name, uid_of(pod), controller_of(live), revision_of(live), template, found)


def _same(before: KubeObject, now: KubeObject) -> bool:
    """Whether rules would say the same of both."""
    metas = metadata(before), metadata(now)
    return (
        all(metas[0].get(name) == metas[1].get(name) for name in _READ)
        and same_member(before, now, "spec")
        and _has_ended(before) == _has_ended(now)
    )


def _has_ended(pod: KubeObject) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def _content(pod: KubeObject, namespace: Mapping[str, Any]) -> int:
    """Of a pod and its namespace what rules may look at, as a hash for this process."""
    spec = pod.text("spec") if isinstance(pod, Packed) else dumped(pod.get("spec"))
    read = [metadata(pod).get(name) for name in _READ]
    return hash((spec, dumped([read, namespace])))

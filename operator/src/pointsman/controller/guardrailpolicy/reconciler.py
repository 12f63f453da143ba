"""Gather, decide, act, for one GuardrailPolicy at a time. No decision is made here."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from pointsman.api import GuardrailPolicy, ObjectKey
from pointsman.api.verdicts import TRUE
from pointsman.controller.acting import Actor, Statuses
from pointsman.controller.children import Children
from pointsman.controller.guardrailpolicy.by_hand import Standing, standing
from pointsman.controller.guardrailpolicy.decide import decide, looks_at_dates
from pointsman.controller.guardrailpolicy.findings import Findings
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.guardrailpolicy.snapshot import PolicySnapshot
from pointsman.controller.plan import Plan
from pointsman.controller.reading import Unreadable, read, said_of
from pointsman.controller.recording.hearing import Policies
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.objects import (
    GUARDRAIL_POLICY,
    MUTATING_BINDING,
    MUTATING_POLICY,
    VALIDATING_BINDING,
    VALIDATING_POLICY,
    Kind,
    KubeObject,
    generation_of,
    key_of,
    kind_of,
    metadata,
    uid_of,
)
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.contradictions import Contradictions
from pointsman.policy.evidence.canonical import digest
from pointsman.policy.evidence.known import Held
from pointsman.policy.native import SYSTEM_NAMESPACES
from pointsman.policy.packs import Library

NATIVES = (VALIDATING_POLICY, VALIDATING_BINDING, MUTATING_POLICY, MUTATING_BINDING)
"""Every kind that a GuardrailPolicy is brought about with."""


@dataclass(frozen=True)
class _Known:
    """What a policy of one generation means, and which of its exceptions had ended by the last look."""

    uid: str
    generation: int
    compiled: Compiled
    ended: int
    day: date | None = None
    """Of that look, where its rules look at dates."""
    apart: frozenset[str] = frozenset()
    """Native policies that the API server refused."""


def owner_policy(native: KubeObject) -> ObjectKey | None:
    """The GuardrailPolicy that a native object belongs to."""
    for owner in metadata(native).get("ownerReferences") or ():
        if owner.get("kind") == GUARDRAIL_POLICY.kind:
            return ObjectKey("", str(owner.get("name", "")))
    return None


class GuardrailPolicyReconciler:
    """`now`, `mutates` and `unserved` are asked at each look; `concerned` is told of the policies of which
    something else is to be said, as another changed. An exception ends soon that ends within `soon_seconds`.
    """

    def __init__(
        self,
        policies: Statuses,
        natives: Children,
        actor: Actor,
        in_force: InForce,
        findings: Findings,
        library: Callable[[], Library],
        now: Callable[[], datetime],
        mutates: Callable[[], bool],
        left_out: Sequence[str],
        concerned: Callable[[ObjectKey], None],
        unserved: Callable[[], Collection[Kind]],
        soon_seconds: float,
        clock: Clock = elapsed_seconds,
        recorder: Policies | None = None,
    ) -> None:
        self._policies = policies
        self._natives = natives
        self._actor = actor
        self._in_force = in_force
        self._findings = findings
        self._library = library
        self._now = now
        self._mutates = mutates
        self._left_out = tuple(left_out)
        self._concerned = concerned
        self._unserved = unserved
        self._soon_seconds = soon_seconds
        self._contradictions = Contradictions()
        self._known: dict[ObjectKey, _Known] = {}
        self._stood: dict[ObjectKey, Standing] = {}
        self._clock = clock
        self._recorder = recorder
        self._natives_said: dict[ObjectKey, tuple[object, str]] = {}
        self._as_they_are: dict[ObjectKey, tuple[frozenset[tuple[str, int]], float]] = {}

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Bring it about; gives after how many seconds to look again. Raises KubeError to be tried again."""
        live = self._policies.get(key)
        if live is None:
            self._actor.forget(key)
            self._in_force.forget(key)
            self._known.pop(key, None)
            self._as_they_are.pop(key, None)
            self._stood.pop(key, None)
            self._natives_said.pop(key, None)
            self._tell(self._contradictions.forget(key.name))
            if self._recorder is not None:
                self._recorder.heard.gone(key)
            return None
        policy = read(GuardrailPolicy, live)
        if isinstance(policy, Unreadable):
            now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
            plan = said_of(policy, live, "Compiled", now)
        else:
            snapshot = self._snapshot(policy, live, key)
            plan = decide(snapshot)
            there = {(kind_of(one), key_of(one)): one for one in snapshot.natives}
            self._stood[key] = standing(plan.apply, there, snapshot.stood)
        again = await self._actor.act(plan, key, self._policies)
        if self._recorder is not None and not isinstance(policy, Unreadable):
            known = self._known[key]
            self._recorder.heard.saw(known.compiled, known.uid, known.generation, self._held(plan, key))
        return 0.0 if again else plan.again_after_seconds

    def _snapshot(self, policy: GuardrailPolicy, live: KubeObject, key: ObjectKey) -> PolicySnapshot:
        now = self._now()
        compiled = self._compiled(policy, live, key, now)
        natives = self._natives.of(key, NATIVES)
        return PolicySnapshot(
            policy=policy,
            compiled=compiled,
            now=now,
            natives=natives,
            settled_seconds=self._settled_seconds(key, natives),
            soon_seconds=self._soon_seconds,
            stood=self._stood.get(key, {}),
            found=self._findings.of(key),
            left_out=self._left_out,
            mutates=self._mutates(),
            apart=self._known[key].apart,
            unserved=frozenset(one.kind for one in self._unserved()),
            contradictions=self._contradictions.of(key.name, now),
            recording=None if self._recorder is None else self._recorder.recording,
            obstacle=self._actor.obstacle(key),
        )

    def _settled_seconds(self, key: ObjectKey, natives: Sequence[KubeObject]) -> float:
        now = self._clock()
        current = frozenset((uid_of(one), generation_of(one)) for one in natives)
        known, since = self._as_they_are.get(key, (None, now))
        if known != current:
            self._as_they_are[key] = current, now
            return 0.0
        return now - since

    def _compiled(self, policy: GuardrailPolicy, live: KubeObject, key: ObjectKey, now: datetime) -> Compiled:
        """The policy's meaning, which takes a tenth of a second to find: once for each generation."""
        known = self._known.get(key)
        if known is None or (known.uid, known.generation) != (uid_of(live), generation_of(live)):
            known = _Known(uid_of(live), generation_of(live), compile_policy(policy, self._library()), 0)
        self._tell(self._contradictions.hold(known.compiled))
        ended = sum(one.until <= now for one in known.compiled.exemptions)
        day = now.date() if looks_at_dates(known.compiled) else None
        self._in_force.hold(key, known.compiled, (*SYSTEM_NAMESPACES, *self._left_out))
        if (ended, day) != (known.ended, known.day):
            self._in_force.again(key)
            self._tell(self._contradictions.concerned(key.name))
        self._known[key] = replace(known, ended=ended, day=day, apart=known.apart | self._actor.invalid(key))
        if self._recorder is not None:
            # Before what its rules find: how it is held shows once that is written.
            self._recorder.heard.saw(known.compiled, known.uid, known.generation, None)
        return known.compiled

    def _held(self, plan: Plan, key: ObjectKey) -> Held | None:
        """Whether the API server holds the rules, as the status says it; None where that is open."""
        said = (plan.status or {}).get("status", {}).get("conditions", ())
        enforced = next((one for one in said if one["type"] == "Enforced"), None)
        if enforced is None or enforced["reason"] == "Pending":
            return None
        if enforced["status"] != TRUE:
            return Held("", f"{enforced['reason']}: {enforced['message']}")
        known = self._known[key]
        like = known.uid, known.generation, known.ended, known.apart, self._mutates()
        if self._natives_said.get(key, (None, ""))[0] != like:
            natives = sorted([kind_of(one).kind, key_of(one).name, digest(one["spec"])] for one in plan.apply)
            self._natives_said[key] = like, digest(natives)
        return Held(self._natives_said[key][1])

    def _tell(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            self._concerned(ObjectKey("", name))

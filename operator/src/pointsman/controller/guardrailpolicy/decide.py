"""What follows from one GuardrailPolicy: its native objects and its status. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from pointsman.api import GuardrailPolicy, ObjectKey
from pointsman.api.guardrailpolicy import EvidenceStatus, GuardrailPolicyStatus, Violations
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict, conditions
from pointsman.controller.guardrailpolicy.by_hand import changed_by_hand, writers
from pointsman.controller.guardrailpolicy.exceptions import announced
from pointsman.controller.guardrailpolicy.snapshot import PolicySnapshot
from pointsman.controller.guardrailpolicy.strays import by_others, without_strays
from pointsman.controller.modeldeployment.snapshot import Obstacle
from pointsman.controller.plan import Announcement, Doomed, Plan, Trimmed
from pointsman.controller.recording.hearing import Recording
from pointsman.kube.objects import (
    VALIDATING_POLICY,
    Kind,
    KubeObject,
    controller_reference,
    generation_of,
    key_of,
    kind_of,
    metadata,
    uid_of,
)
from pointsman.policy.compiled import Compiled
from pointsman.policy.exemptions import exceptions_status
from pointsman.policy.native import RULE_ANNOTATION, mutating, validating

_LONGEST = 1024
_NOT_COMPILED = re.compile(r": compilation failed: ERROR: <input>:\d+:\d+: (.*?)(?= \| |$)")
_IN_FORCE_SECONDS = 3.0
"""Each API server hears of a policy by a watch and compiles what changed once a second."""


def decide(snapshot: PolicySnapshot) -> Plan:
    """What should be there and what is said."""
    policy = snapshot.policy
    if policy.metadata.deletion_timestamp:
        return Plan()
    wanted = validating(snapshot.compiled, snapshot.now, snapshot.left_out, snapshot.apart)
    if snapshot.mutates:
        wanted += mutating(snapshot.compiled, snapshot.left_out, snapshot.apart)
    natives = tuple(_owned(one, policy) for one in wanted)
    names = {(kind_of(one), key_of(one)) for one in natives}
    status = _status(snapshot, natives)
    there = {(kind_of(one), key_of(one)): one for one in snapshot.natives}
    trim = tuple(_trimmed(natives, there))
    return Plan(
        # What is new comes first: a rule that goes from one object to another is held all the time.
        apply=tuple(sorted(natives, key=lambda one: (kind_of(one), key_of(one)) in there)),
        trim=trim,
        delete=tuple(
            Doomed(kind_of(one), key_of(one), uid_of(one))
            for one in snapshot.natives
            if (kind_of(one), key_of(one)) not in names
        ),
        status={
            "apiVersion": policy.api_version,
            "kind": policy.kind,
            "metadata": {"name": policy.metadata.name},
            "status": status.to_document(),
        },
        announcements=(
            *_announced(snapshot, status),
            *changed_by_hand(natives, there, snapshot.stood),
            *_put_back(trim, there),
        ),
        again_after_seconds=_again_after(snapshot),
    )


def _trimmed(
    natives: Iterable[KubeObject], there: Mapping[tuple[Kind, ObjectKey], KubeObject]
) -> Iterator[Trimmed]:
    for wanted in natives:
        kind, key = kind_of(wanted), key_of(wanted)
        live = there.get((kind, key))
        patch = without_strays(wanted["spec"], (live or {}).get("spec") or {})
        if patch:
            yield Trimmed(kind, key, {"spec": patch})


def _put_back(
    trim: Iterable[Trimmed], there: Mapping[tuple[Kind, ObjectKey], KubeObject]
) -> Iterator[Announcement]:
    for one in trim:
        live = there[one.kind, one.key]
        fields = ", ".join(by_others(one.patch, live))
        if fields:
            who = " and ".join(writers(live)) or "somebody"
            what = f"{one.kind.kind} {one.key.name}: {fields} held what is not ours, by {who}"
            yield Announcement("PutBack", what, is_warning=True)


def _owned(native: KubeObject, policy: GuardrailPolicy) -> KubeObject:
    owner = controller_reference(
        {
            "apiVersion": policy.api_version,
            "kind": policy.kind,
            "metadata": {"name": policy.metadata.name, "uid": policy.metadata.uid},
        }
    )
    return {**native, "metadata": {**metadata(native), "ownerReferences": [owner]}}


def _again_after(snapshot: PolicySnapshot) -> float | None:
    """Seconds until the policies are in force, an exception ends or is about to, or the date is another."""
    unsettled = _IN_FORCE_SECONDS - snapshot.settled_seconds
    waits = [unsettled] if unsettled > 0 else []
    waits += [
        seconds - before
        for one in snapshot.compiled.exemptions
        for seconds in ((one.until - snapshot.now).total_seconds(),)
        for before in (0.0, snapshot.soon_seconds)
        if seconds > before
    ]
    if looks_at_dates(snapshot.compiled):
        tomorrow = snapshot.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        waits.append((tomorrow - snapshot.now).total_seconds())
    return min(waits, default=None)


def looks_at_dates(compiled: Compiled) -> bool:
    """Whether another day may bring another verdict."""
    return any(look.by_day for look in compiled.looks)


def _status(snapshot: PolicySnapshot, natives: tuple[KubeObject, ...]) -> GuardrailPolicyStatus:
    policy, compiled = snapshot.policy, snapshot.compiled
    verdicts = [snapshot.compiled.verdict, _enforced(snapshot, natives)]
    beside = [] if snapshot.recording is None else [_recorded(snapshot.recording)]
    if policy.spec.runtime is not None:
        verdicts.append(
            Verdict("RuntimeProgrammed", FALSE, "NotSupported", "rules at run time are not supported yet")
        )
    bad = next((one for one in verdicts if one.status != TRUE), None)
    ready = (
        Verdict("Ready", TRUE, "Enforced", "")
        if bad is None
        else Verdict("Ready", bad.status, bad.reason, bad.message)
    )
    generation = policy.metadata.generation
    now = snapshot.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return GuardrailPolicyStatus(
        observed_generation=generation,
        rules=len(compiled.rules),
        # Until every object was looked at, what was found before is more than what is found by now.
        violations=Violations(total=snapshot.found.total, objects=snapshot.found.first)
        if snapshot.found.is_complete
        else policy.status.violations,
        exceptions=exceptions_status(compiled.exemptions, snapshot.now, snapshot.soon_seconds),
        evidence=_evidence(snapshot),
        conditions=conditions([*verdicts, *beside, ready], policy.status.conditions, generation, now),
    )


def _recorded(recording: Recording) -> Verdict:
    """Rules hold whether it is written or not: no reason for a policy not to be ready."""
    if recording.why:
        return Verdict("Recorded", FALSE, "EvidenceNotWritten", recording.why[:_LONGEST])
    if not recording.head:
        return Verdict("Recorded", UNKNOWN, "Pending", "the record is being read")
    return Verdict("Recorded", TRUE, "Recorded", "")


def _evidence(snapshot: PolicySnapshot) -> EvidenceStatus | None:
    recording = snapshot.recording
    if recording is None:
        return None
    if not recording.head:
        return snapshot.policy.status.evidence
    return EvidenceStatus(entries=recording.entries, head=recording.head)


def _enforced(snapshot: PolicySnapshot, natives: tuple[KubeObject, ...]) -> Verdict:
    if snapshot.obstacle is not None:
        return Verdict("Enforced", FALSE, snapshot.obstacle.reason, _refusal(snapshot.obstacle, natives))
    live = {(kind_of(one), key_of(one)): one for one in snapshot.natives}
    for wanted in natives:
        place = kind_of(wanted), key_of(wanted)
        found = live.get(place)
        if found is None:
            return Verdict("Enforced", FALSE, "Pending", f"{place[0].kind} {place[1].name} is being written")
        warnings = _warnings(found)
        if warnings:
            return Verdict("Enforced", FALSE, "TypeWarning", warnings[:_LONGEST])
        if place[0] == VALIDATING_POLICY and not _is_observed(found):
            return Verdict(
                "Enforced", UNKNOWN, "Pending", "the API server has not looked at every policy yet"
            )
    if snapshot.settled_seconds < _IN_FORCE_SECONDS:
        return Verdict("Enforced", UNKNOWN, "Pending", "API servers take a moment until they use a policy")
    awaited = sorted({kind for rule in snapshot.compiled.rules for kind in rule.checks} & snapshot.unserved)
    if awaited:
        what = f"the API server serves no {' and no '.join(awaited)} yet; once it does, the rules hold"
        return Verdict("Enforced", UNKNOWN, "NotServed", what)
    note = "; ".join(_notes(snapshot))
    return Verdict("Enforced", TRUE, "Enforced", note[:_LONGEST])


def _refusal(obstacle: Obstacle, natives: Iterable[KubeObject]) -> str:
    """What the API server says, and of which rule where that is one. Of an expression that it does not
    compile it says twice what it is, which the policy's reader did not write so.
    """
    found = _NOT_COMPILED.search(obstacle.message)
    what = (
        f"{obstacle.child}: the API server does not compile the expression: {found[1]}"
        if found
        else obstacle.message
    )
    for native in natives:
        if obstacle.child == f"{kind_of(native).kind} {key_of(native).name}":
            rules = native["spec"].get("validations") or []
            named = metadata(native).get("annotations", {}).get(RULE_ANNOTATION)
            if named or len(rules) == 1:
                rule = f"[{named}]" if named else str(rules[0]["message"]).partition(" ")[0]
                return f"{rule} {what}"[:_LONGEST]
    return what


def _notes(snapshot: PolicySnapshot) -> Iterator[str]:
    """What is not as the policy's packs would have it, though everything that can be held is."""
    rules = snapshot.compiled.rules
    unheld = snapshot.compiled.unheld
    if unheld:
        yield f"not held by the API server: {', '.join(unheld)}"
    looked = [rule.id for rule in rules if rule.is_looked_for]
    if looked:
        yield f"looked for in the background: {', '.join(looked)}"
    missed = [rule.id for rule in rules if any(check.misses_scales for check in rule.checks.values())]
    if missed:
        yield f"not asked where replicas are scaled, for want of their scale: {', '.join(missed)}"
    defaults = [rule.id for rule in rules if rule.mutations]
    if defaults and not snapshot.mutates:
        yield f"this Kubernetes sets no defaults, what they would set must be stated: {', '.join(defaults)}"
    yield from snapshot.contradictions


def _is_observed(native: KubeObject) -> bool:
    status = native.get("status") or {}
    return int(status.get("observedGeneration") or 0) >= generation_of(native)


def _warnings(native: KubeObject) -> str:
    checking = (native.get("status") or {}).get("typeChecking") or {}
    return "; ".join(
        f"{one.get('fieldRef', '')}: {' '.join(str(one.get('warning', '')).split())}"
        for one in checking.get("expressionWarnings") or ()
    )


def _announced(snapshot: PolicySnapshot, status: GuardrailPolicyStatus) -> Iterator[Announcement]:
    former = snapshot.policy.status
    before = {one.type: (one.status, one.reason) for one in former.conditions}
    for one in status.conditions:
        if one.type != "Ready" and before.get(one.type) != (one.status, one.reason):
            if one.status == "False" and one.reason != "Pending":
                yield Announcement(one.reason, one.message or one.reason, is_warning=True)
            elif one.type == "Enforced" and one.status == "True":
                yield Announcement("Enforced", one.message or "every rule is held")
    if status.exceptions is not None:
        yield from announced(snapshot.compiled.exemptions, former.exceptions, status.exceptions)

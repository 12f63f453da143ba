"""What the entries of a record say: who writes it, which policies and exceptions hold, what they found.

An entry says what changed, once. What a rule finds is told by its words and the names that it looks at; the
values of an object are there as a digest alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pointsman.policy.compiled import BoundRule, Compiled
from pointsman.policy.evidence.canonical import digest
from pointsman.policy.evidence.judged import Judged, Object
from pointsman.policy.evidence.record import EntryKind, time_text
from pointsman.policy.exemptions import Exemption
from pointsman.policy.verdicts import Outcome

Body = tuple[EntryKind, Mapping[str, Any]]

NOT_APPLICABLE = "not applicable"
"""The outcome of a rule that holds because it is not for the object."""
COMPILED, ENFORCED, NOT_ENFORCED, DELETED = "compiled", "enforced", "not enforced", "deleted"
"""What an entry about a policy says of it."""
ADDED, CHANGED, ENDED, EXPIRED = "added", "changed", "ended", "expired"
"""What an entry about an exception says of it; it is ended by who takes it out, and expires by itself."""
_LONGEST = 1024
_NOT_EVALUATED = "the rule could not be evaluated"


def start(version: str, writer: str = "", since: str = "", former: Sequence[str] = ()) -> Body:
    """Who writes from here on. What happened after `since` and did not last until now is not in the record;
    `former` are hashes of entries of a record before this one.
    """
    body: dict[str, Any] = {"by": "pointsman", "version": version}
    if writer:
        body["writer"] = writer
    if since:
        body["since"] = since
    if former:
        body["former"] = list(former)
    return EntryKind.START, body


def gap(since: datetime | None, until: datetime, why: str, lost: int = 0) -> Body:
    """Between the two nothing could be written. What is noted of that time comes after it, but for `lost`
    entries: of what those were about, only what it is like afterwards.
    """
    body: dict[str, Any] = {"until": time_text(until), "why": why, "lost": lost}
    if since is not None:
        body["since"] = time_text(since)
    return EntryKind.GAP, body


def checkpoint(parts: Sequence[Mapping[str, Any]]) -> list[Body]:
    """What the record says by then, in as many entries as there are `parts`."""
    return [
        (EntryKind.CHECKPOINT, {"part": number, "of": len(parts), **part})
        for number, part in enumerate(parts, start=1)
    ]


def rules_digest(policy: Compiled) -> str:
    """Of everything that a policy holds objects to, exceptions apart."""
    selector = None if policy.namespaces is None else policy.namespaces.to_document()
    return digest({"namespaces": selector, "rules": [_whole(rule) for rule in policy.rules]})


def _whole(rule: BoundRule) -> dict[str, Any]:
    return {
        **_told(rule),
        "message": rule.message,
        "values": dict(rule.values),
        "checks": {
            kind.value: [one.holds, dict(one.variables), one.found, one.scale, one.when]
            for kind, one in rule.checks.items()
        },
        "mutations": {kind.value: [one.when, one.patch] for kind, one in rule.mutations.items()},
    }


def _told(rule: BoundRule) -> dict[str, Any]:
    """What a report needs of a rule."""
    said: dict[str, Any] = {
        "id": rule.id,
        "pack": rule.pack,
        "title": rule.title,
        "severity": rule.severity.value,
        "mode": rule.mode.value,
        "kinds": sorted(kind.value for kind in rule.checks),
        "controls": {name: list(controls) for name, controls in sorted(rule.controls.items())},
    }
    unheld = {
        "background": rule.background,
        "unseen": rule.unseen,
        "runtime": rule.runtime,
        "waitsFor": rule.waits_for,
    }
    return {**said, **{key: value for key, value in unheld.items() if value}}


def compiled(policy: Compiled, of_rules: str, uid: str = "", generation: int = 0) -> Body:
    """The rules that a policy turns on; `of_rules` is their digest."""
    body: dict[str, Any] = {
        "policy": policy.name,
        "state": COMPILED,
        "digest": of_rules,
        "rules": [_told(rule) for rule in policy.rules],
    }
    if policy.problems:
        body["problems"] = [str(one)[:_LONGEST] for one in policy.problems]
    return EntryKind.POLICY, {**body, **_which(uid, generation)}


def held(policy: str, of_rules: str, native: str) -> Body:
    """The API server holds the rules; `native` is the digest of the native policies that say them."""
    return EntryKind.POLICY, {"policy": policy, "state": ENFORCED, "digest": of_rules, "native": native}


def not_held(policy: str, of_rules: str, why: str) -> Body:
    body = {"policy": policy, "state": NOT_ENFORCED, "digest": of_rules, "why": why[:_LONGEST]}
    return EntryKind.POLICY, body


def deleted(policy: str) -> Body:
    return EntryKind.POLICY, {"policy": policy, "state": DELETED}


def exception(policy: str, one: Exemption, state: str) -> Body:
    selector = one.namespace_selector
    body = {
        "policy": policy,
        "state": state,
        "id": one.id,
        "rules": sorted(one.rules),
        "namespaces": list(one.namespaces),
        "namespaceSelector": None if selector is None else selector.to_document(),
        "names": list(one.names),
        "until": one.until_text,
        "reason": one.reason,
        "ticket": one.ticket,
        "approvedBy": one.approved_by,
    }
    return EntryKind.EXCEPTION, body


def scope(one: Exemption) -> str:
    """For what an exception is, in a word or two: `lab/old-model`."""
    namespaces = ",".join(one.namespaces) or ("namespaces by label" if one.namespace_selector else "*")
    return f"{namespaces}/{','.join(one.names) or '*'}"


def verdict(
    policy: str,
    of_rules: str,
    seen: Object,
    found: Iterable[Judged],
    uid: str = "",
    generation: int = 0,
    by: str = "",
    unnamed: int = 0,
) -> Body:
    """Everything that one policy says of an object as it is now; `by` which kind of controller made it. It
    may stand for so many pods that differ and are `unnamed`, and say the worst of them.
    """
    outcomes: dict[str, str] = {}
    messages: dict[str, str] = {}
    exceptions: dict[str, str] = {}
    for one in found:
        said, rule = one.verdict, one.verdict.rule.id
        outcomes[rule] = said.outcome.value if one.applies else NOT_APPLICABLE
        if said.message:
            # An evaluator that stumbles over a value shows it.
            is_error = said.outcome is Outcome.ERROR or said.message.startswith(_NOT_EVALUATED)
            messages[rule] = _NOT_EVALUATED if is_error else said.message[:_LONGEST]
        if said.exemption is not None:
            exceptions[rule] = said.exemption.id
    body: dict[str, Any] = {
        "policy": policy,
        "digest": of_rules,
        "kind": seen.kind,
        "namespace": seen.namespace,
        "name": seen.name,
        **_which(uid, generation),
        "object": seen.digest,
        "outcomes": outcomes,
    }
    if by:
        body["by"] = by
    if unnamed:
        body["unnamed"] = unnamed
    if messages:
        body["messages"] = messages
    if exceptions:
        body["exceptions"] = exceptions
    return EntryKind.VERDICT, body


def gone(policy: str, kind: str, namespace: str, name: str) -> Body:
    """The object is no more, or the policy is not for it any more."""
    body = {"policy": policy, "kind": kind, "namespace": namespace, "name": name, "gone": True}
    return EntryKind.VERDICT, body


def _which(uid: str, generation: int) -> dict[str, Any]:
    return {"uid": uid, "generation": generation} if uid else {}

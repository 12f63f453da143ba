"""What the entries of a record say: which policies and exceptions held, and what was found by them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pointsman.api import GuardrailPolicy
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence.judged import Judged
from pointsman.policy.evidence.record import Entry, EntryKind, digest
from pointsman.policy.exemptions import Exemption

Body = tuple[EntryKind, Mapping[str, Any]]

NOT_APPLICABLE = "not applicable"
"""The outcome of a rule that holds because it is not for the object."""


def start(version: str) -> Body:
    return EntryKind.START, {"by": "pointsman", "version": version}


def policies(stated: Iterable[GuardrailPolicy], compiled: Iterable[Compiled]) -> Iterator[Body]:
    """Each policy with the rules that it turns on, and its exceptions."""
    rules = {policy.name: [rule.id for rule in policy.rules] for policy in compiled}
    for policy in stated:
        name = policy.metadata.name
        said = {"spec": policy.to_document()["spec"], "rules": rules[name]}
        yield EntryKind.POLICY, {"policy": name, "mode": policy.spec.mode.value, "digest": digest(said)}
    for one in compiled:
        for exemption in one.exemptions:
            yield EntryKind.EXCEPTION, _exception(one.name, exemption)


def _exception(policy: str, one: Exemption) -> dict[str, Any]:
    return {
        "policy": policy,
        "id": one.id,
        "rules": sorted(one.rules),
        "for": scope(one),
        "until": one.until_text,
        "reason": one.reason,
        "ticket": one.ticket,
        "approvedBy": one.approved_by,
    }


def scope(one: Exemption) -> str:
    """For what an exception is, in a word or two: `lab/old-model`."""
    namespaces = ",".join(one.namespaces) or ("namespaces by label" if one.namespace_selector else "*")
    return f"{namespaces}/{','.join(one.names) or '*'}"


def verdict(one: Judged) -> Body:
    """A rule over an object. Messages may hold what an object says, and are the API server's words anyway."""
    said = one.verdict
    body = {
        "policy": said.policy,
        "rule": said.rule.id,
        "outcome": said.outcome.value if one.applies else NOT_APPLICABLE,
        "kind": one.object.kind,
        "namespace": one.object.namespace,
        "name": one.object.name,
        "object": one.object.digest,
    }
    if said.message:
        body["message"] = said.message
    if said.exemption is not None:
        body["exception"] = said.exemption.id
    return EntryKind.VERDICT, body


def unrecorded(entries: Iterable[Entry], found: Iterable[Body]) -> list[Body]:
    """Those that the record does not end with already: a policy or exception that is as it was is not
    repeated.
    """
    last = {
        _subject(entry.kind, entry.body): entry.body
        for entry in entries
        if entry.kind in (EntryKind.POLICY, EntryKind.EXCEPTION)
    }
    return [(kind, body) for kind, body in found if last.get(_subject(kind, body)) != body]


def _subject(kind: EntryKind, body: Mapping[str, Any]) -> tuple[str, ...]:
    return kind.value, str(body.get("policy")), str(body.get("id", ""))

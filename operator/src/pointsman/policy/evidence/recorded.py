"""What a record shows at a time: which policies and exceptions held then, what was found, where it has gaps.

A report is made of it as of objects that are judged anew. What the record does not say is no evidence.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode, Severity
from pointsman.api.meta import LabelSelector
from pointsman.api.scalars import Timestamp
from pointsman.errors import PointsmanError
from pointsman.policy.background import LOOKS
from pointsman.policy.compiled import BoundCheck, BoundRule, Compiled
from pointsman.policy.evidence import bodies
from pointsman.policy.evidence.judged import Judged, Object
from pointsman.policy.evidence.record import EMPTY, Entry, EntryKind, Verified, time_text
from pointsman.policy.exemptions import Exemption
from pointsman.policy.verdicts import Outcome, Verdict

_ANY = BoundCheck("", {})
"""Of a rule the record holds for which kinds it is, and no expression."""


@dataclass(frozen=True)
class Gap:
    """For a time the record may not say everything. `since` is "" where that is not known."""

    since: str
    until: str
    why: str
    lost: int


@dataclass
class Shown:
    """All of a record up to a time."""

    end: Verified = EMPTY
    last_at: str = ""
    policies: dict[str, Compiled] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many verdicts it has, by policy and rule; without those on objects that the rule is not for."""
    gaps: list[Gap] = field(default_factory=list)
    unnamed: dict[str, int] = field(default_factory=dict)
    """Objects that stand for pods that differ, and how many there were when that was written."""


def shown(entries: Iterable[Entry], at: datetime) -> Shown:
    """What the record showed at that time. PointsmanError where an entry is not as we write them."""
    found, until = Shown(), time_text(at)
    rules: dict[str, tuple[str, tuple[BoundRule, ...]]] = {}
    exceptions: dict[tuple[str, str], Exemption] = {}
    seen: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
    for entry in entries:
        found.end = Verified(entry.sequence, entry.hash)
        if entry.at > until:
            continue
        found.last_at, body, name = entry.at, entry.body, str(entry.body.get("policy"))
        try:
            match entry.kind:
                case EntryKind.POLICY if body["state"] == bodies.DELETED:
                    rules.pop(name, None)
                    seen = {place: one for place, one in seen.items() if place[0] != name}
                case EntryKind.POLICY if body["state"] == bodies.COMPILED:
                    rules[name] = str(body["digest"]), tuple(_rule(one) for one in body["rules"])
                case EntryKind.EXCEPTION:
                    key = name, str(body["id"])
                    exceptions.pop(key, None)
                    if body["state"] != bodies.ENDED:
                        exceptions[key] = _exemption(body)
                case EntryKind.VERDICT:
                    place = name, str(body["kind"]), str(body["namespace"]), str(body["name"])
                    seen.pop(place, None)
                    if not body.get("gone"):
                        seen[place] = {"digest": "", "object": body["object"], **body}
                        spoken = (
                            key for key, one in body["outcomes"].items() if one != bodies.NOT_APPLICABLE
                        )
                        found.counted.update((name, rule) for rule in spoken)
                case EntryKind.GAP:
                    since, lost = str(body.get("since", "")), int(body["lost"])
                    found.gaps.append(Gap(since, str(body["until"]), str(body["why"]), lost))
                case _:
                    pass
        except (KeyError, TypeError, ValueError, AttributeError):
            raise PointsmanError(
                f"entry {entry.sequence} is not as this version writes them",
                todo="read it with the version that wrote it",
            ) from None
    for name, (_, of_policy) in rules.items():
        mine = tuple(one for (policy, _), one in exceptions.items() if policy == name)
        found.policies[name] = Compiled(name, None, of_policy, mine, ())
    for place, body in seen.items():
        # What other rules of this name said is no evidence of what these would say.
        if rules.get(place[0], ("",))[0] == body["digest"]:
            found.judged += _judged(found.policies[place[0]], body, at)
            if body.get("unnamed"):
                name = str(Object(place[1], place[2], place[3], ""))
                found.unnamed[name] = max(found.unnamed.get(name, 0), int(body["unnamed"]))
    return found


def _rule(said: Mapping[str, Any]) -> BoundRule:
    background, unseen = said.get("background", ""), said.get("unseen", "")
    if background and background not in LOOKS:
        background, unseen = "", unseen or f"this version does not know its look at {background}"
    return BoundRule(
        said["id"],
        said["pack"],
        said["title"],
        Severity(said["severity"]),
        PolicyMode(said["mode"]),
        "",
        {name: tuple(controls) for name, controls in said["controls"].items()},
        {PolicyKind(kind): _ANY for kind in said["kinds"]},
        {},
        background=background,
        unseen=unseen,
        runtime=said.get("runtime", ""),
        waits_for=said.get("waitsFor", ""),
    )


def _exemption(said: Mapping[str, Any]) -> Exemption:
    selector = said["namespaceSelector"]
    return Exemption(
        said["id"],
        frozenset(said["rules"]),
        tuple(said["namespaces"]),
        None if selector is None else LabelSelector.model_validate(selector),
        tuple(said["names"]),
        Timestamp(said["until"]).instant,
        said["until"],
        said["reason"],
        said["ticket"],
        said["approvedBy"],
    )


def _judged(policy: Compiled, body: Mapping[str, Any], at: datetime) -> Iterator[Judged]:
    """What was found of an object, by the rules that the policy still has."""
    messages, excepted = body.get("messages", {}), body.get("exceptions", {})
    by_id = {one.id: one for one in policy.exemptions}
    seen = Object(body["kind"], body["namespace"], body["name"], body["object"])
    for rule in policy.rules:
        said = body["outcomes"].get(rule.id)
        if said is None:
            continue
        message = messages.get(rule.id, "")
        applies = said != bodies.NOT_APPLICABLE
        outcome = Outcome(said) if applies else Outcome.PASS
        exemption = by_id.get(excepted.get(rule.id, "")) if outcome is Outcome.EXEMPT else None
        if outcome is Outcome.EXEMPT and (exemption is None or exemption.until <= at):
            # The exception is over, and nobody was there to say so.
            outcome, exemption = Outcome.FAIL, None
        yield Judged(seen, Verdict(policy.name, rule, outcome, message, exemption), applies)

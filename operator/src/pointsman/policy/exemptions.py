"""Exceptions from rules: for whom, and until when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pointsman.api.guardrailpolicy import ExceptionsStatus, PolicyException, PolicyKind
from pointsman.api.meta import LabelSelector


@dataclass(frozen=True)
class Subject:
    """What an exception looks at. `name` is the ModelDeployment's for its pods, and "" for a namespace, which
    has no kind here.
    """

    kind: PolicyKind | None
    namespace: str
    name: str
    namespace_labels: Mapping[str, str]


@dataclass(frozen=True)
class Exemption:
    """An exception as it is stated. One without namespaces is for all of them, likewise for names."""

    id: str
    rules: frozenset[str]
    namespaces: tuple[str, ...]
    namespace_selector: LabelSelector | None
    names: tuple[str, ...]
    until: datetime
    until_text: str
    reason: str
    ticket: str
    approved_by: str

    def is_for(self, subject: Subject) -> bool:
        """Whether it speaks of this object, at any time."""
        selector = self.namespace_selector
        return (
            (not self.namespaces or subject.namespace in self.namespaces)
            and (not self.names or subject.name in self.names)
            and (selector is None or selector.matches(subject.namespace_labels))
        )

    def counts(self, rule: str, subject: Subject, now: datetime) -> bool:
        """Whether the object may break the rule now.

        A pod of an admitted ModelDeployment is not refused because an exception ended: a node that is lost
        after that would take the replica with it. The end acts on the ModelDeployment.
        """
        lasts = now < self.until or subject.kind is PolicyKind.POD
        return rule in self.rules and lasts and self.is_for(subject)


def exemptions(stated: Iterable[PolicyException]) -> tuple[Exemption, ...]:
    return tuple(
        Exemption(
            one.id,
            frozenset(one.rules),
            one.match.namespaces,
            one.match.namespace_selector,
            one.match.names,
            one.until.instant,
            str(one.until),
            one.reason,
            one.ticket,
            one.approved_by,
        )
        for one in stated
    )


def exceptions_status(
    stated: Sequence[Exemption], now: datetime, soon_seconds: float = 0.0
) -> ExceptionsStatus:
    """How many count, and which of them end within `soon_seconds`."""
    lasting = sorted((one for one in stated if one.until > now), key=lambda one: (one.until, one.id))
    return ExceptionsStatus(
        active=len(lasting),
        expired=len(stated) - len(lasting),
        next_expiry=lasting[0].until_text if lasting else "",
        ending_soon=tuple(one.id for one in lasting if is_soon(one.until, now, soon_seconds)),
    )


def is_soon(until: datetime, now: datetime, soon_seconds: float) -> bool:
    """Whether an exception is about to end."""
    return 0 < (until - now).total_seconds() <= soon_seconds

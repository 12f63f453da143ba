"""Our objects as the API server holds them, and what is said of one that this version cannot read. Pure.

The API server may have taken it under the rules of another version, or under none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from pointsman.api import Condition, GuardrailPolicy, ModelDeployment, ModelRoute
from pointsman.api.explanations import first_mistake
from pointsman.api.verdicts import FALSE, Verdict, conditions
from pointsman.controller.plan import Announcement, Plan
from pointsman.kube.objects import KubeObject, generation_of, key_of

R = TypeVar("R", ModelDeployment, ModelRoute, GuardrailPolicy)

_REASON = "InvalidSpec"
_OF_OTHERS = "scaling"
"""The part of a status that is the autoscaler's."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no spec to decide on, in one line."""

    why: str


def read(kind: type[R], live: KubeObject) -> R | Unreadable:
    """The object; one whose status alone is another version's, without it."""
    try:
        return kind.model_validate(dict(live), extra="ignore")
    except ValidationError:
        pass
    try:
        stated = {name: part for name, part in live.items() if name != "status"}
        return kind.model_validate(stated, extra="ignore")
    except ValidationError as error:
        return Unreadable(first_mistake(error, kind))


def said_of(found: Unreadable, live: KubeObject, concern: str, now: str) -> Plan:
    """That `concern` and Ready are not so. Everything else stays: what runs, and the status without its
    conditions.
    """
    why = f"{found.why}; it was stored under other rules than this version's: see pointsman validate"
    verdicts = (Verdict(concern, FALSE, _REASON, why), Verdict("Ready", FALSE, _REASON, why))
    status = live.get("status") or {}
    former = tuple(_readable(status.get("conditions") or ()))
    generation = generation_of(live)
    kept = {name: part for name, part in status.items() if name not in (_OF_OTHERS, "conditions")}
    key = key_of(live)
    is_known = any(one.type == concern and (one.status, one.reason) == (FALSE, _REASON) for one in former)
    return Plan(
        status={
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            "metadata": {"name": key.name, "namespace": key.namespace},
            "status": {
                **kept,
                "observedGeneration": generation,
                "conditions": [one.to_document() for one in conditions(verdicts, former, generation, now)],
            },
        },
        announcements=() if is_known else (Announcement(_REASON, why, is_warning=True),),
    )


def _readable(stated: Iterable[Any]) -> Iterable[Condition]:
    for one in stated:
        try:
            yield Condition.model_validate(one, extra="ignore")
        except ValidationError:
            continue

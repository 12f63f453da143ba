"""What is written of a deployment in every state that it may be found in, and the same again is nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.api.modeldeployment_status import ScalingState, ScalingStatus
from pointsman_autoscaler.loop.steps import MANAGER, Steps, Told, Wish, steps
from pointsman_autoscaler.signals.watched import Blind
from tests.support.builders import deployment

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG_AGO = "2026-11-22T09:00:00Z"
BLIND = Blind("nothing answers")


def pools(**replicas: int) -> list[dict[str, Any]]:
    return [{"name": name, "replicas": count} for name, count in sorted(replicas.items())]


def said(state: str = "Active", replicas: int = 2, generation: int = 5, **more: Any) -> dict[str, Any]:
    """A status.scaling as it was left."""
    return {
        "observedGeneration": generation,
        "forReplicas": replicas,
        "pools": pools(a=replicas),
        "reason": "two are needed",
        "since": LONG_AGO,
        "state": state,
        "message": "",
        "pinnedUntil": "",
        **more,
    }


def found(
    replicas: int = 2,
    mode: str = "active",
    generation: int = 5,
    scaling: dict[str, Any] | None = None,
    split: list[dict[str, Any]] | None = None,
    pinned_until: str = "",
) -> ModelDeployment:
    made = deployment("m", replicas=replicas, spec={"scaling": {"mode": mode, "maxReplicas": 9}})
    stated = {} if scaling is None else {"scaling": scaling}
    status = type(made.status).model_validate({**stated, "pools": split or []})
    annotations = {"pointsman.dev/pinned-until": pinned_until} if pinned_until else {}
    meta = made.metadata.model_copy(update={"generation": generation, "annotations": annotations})
    return made.model_copy(update={"status": status, "metadata": meta})


def wish(sentence: str = "so many are needed", **replicas: int) -> Wish:
    return Wish(replicas, sentence)


@dataclass(frozen=True)
class Case:
    found: ModelDeployment
    wanted: Wish | Blind
    wrote: str = MANAGER
    want_status: dict[str, Any] = field(default_factory=dict)
    """What of status.scaling matters; empty: it is not written."""
    want_replicas: int | None = None
    want_told: tuple[str, ...] = ()


CASES = {
    "where somebody else scales, nothing": Case(found(mode="off"), wish(a=5)),
    "the first decision is written, and the number": Case(
        found(),
        wish(a=3),
        "kubectl",
        {
            "state": "Active",
            "forReplicas": 3,
            "pools": pools(a=3),
            "observedGeneration": 6,
            "reason": "so many are needed",
        },
        3,
    ),
    "the first decision that changes no number is written alone": Case(
        found(), wish(a=2), "kubectl", {"state": "Active", "forReplicas": 2, "observedGeneration": 5}
    ),
    "what was decided already is nothing": Case(found(scaling=said()), wish("with other numbers", a=2)),
    "another split of the same number is no change of the number": Case(
        found(scaling=said()),
        wish(a=1, b=1),
        want_status={"pools": pools(a=1, b=1), "since": "2026-11-22T12:00:00Z"},
    ),
    "a number that was not written is written, whatever was said of it": Case(
        found(replicas=2, scaling=said(replicas=4, generation=6)), wish(a=4), want_replicas=4
    ),
    "a number that was not written is no stranger's, if nobody owns it": Case(
        found(replicas=2, scaling=said(replicas=4, generation=6)), wish(a=4), "", want_replicas=4
    ),
    "another spec is seen": Case(
        found(generation=7, scaling=said()),
        wish(a=2),
        want_status={"observedGeneration": 7, "since": LONG_AGO},
    ),
    "advice is said, and nothing done": Case(
        found(mode="advise"),
        wish(a=5),
        "kubectl",
        {"state": "Advising", "forReplicas": 5, "observedGeneration": 5},
    ),
    "what was advised splits nothing in the dark": Case(
        found(mode="advise", scaling=said("Advising")),
        BLIND,
        "kubectl",
        {"state": "MetricsBlind", "forReplicas": 2, "pools": []},
        want_told=("MetricsBlind",),
    ),
    "nor when it is to be done from now on": Case(
        found(scaling=said("Advising")),
        BLIND,
        "kubectl",
        {"state": "MetricsBlind", "forReplicas": 2, "pools": []},
        want_told=("MetricsBlind",),
    ),
    "in the dark nothing moves between pools, though the last word was for another number": Case(
        found(scaling=said(replicas=4, generation=6), split=pools(a=0, b=2)),
        BLIND,
        "kubectl",
        {"state": "MetricsBlind", "forReplicas": 2, "pools": pools(a=0, b=2)},
        want_told=("MetricsBlind",),
    ),
    "what was advised is no number of ours": Case(
        found(scaling=said("Advising", 5)), wish(a=4), "kubectl", {"state": "Active", "forReplicas": 4}, 4
    ),
    "a stranger's number stays": Case(
        found(replicas=7, generation=6, scaling=said()),
        wish(a=3),
        "kubectl",
        {
            "state": "Pinned",
            "forReplicas": 7,
            "pools": [],
            "pinnedUntil": "2026-11-22T12:30:00Z",
            "message": "pinned at 7 by kubectl until 2026-11-22T12:30:00Z",
        },
        want_told=("ScalingPinned",),
    ),
    "it stays while its time is not over": Case(
        found(replicas=7, scaling=said("Pinned", 7, pinnedUntil="2026-11-22T12:10:00Z")), wish(a=3), "kubectl"
    ),
    "it stays in the dark, too": Case(
        found(replicas=7, scaling=said("Pinned", 7, pinnedUntil="2026-11-22T12:10:00Z")), BLIND, "kubectl"
    ),
    "another number of a stranger stays anew": Case(
        found(replicas=8, generation=6, scaling=said("Pinned", 7, pinnedUntil="2026-11-22T12:10:00Z")),
        wish(a=3),
        "hpa",
        {"state": "Pinned", "forReplicas": 8, "pinnedUntil": "2026-11-22T12:30:00Z"},
        want_told=("ScalingPinned",),
    ),
    "when its time is over it is ours again": Case(
        found(replicas=7, scaling=said("Pinned", 7, pinnedUntil="2026-11-22T11:59:00Z")),
        wish(a=3),
        "kubectl",
        {"state": "Active", "forReplicas": 3, "pinnedUntil": ""},
        3,
    ),
    "blindness is said, and what runs is held": Case(
        found(scaling=said()),
        BLIND,
        want_status={
            "state": "MetricsBlind",
            "message": "nothing answers",
            "forReplicas": 2,
            "pools": pools(a=2),
        },
        want_told=("MetricsBlind",),
    ),
    "blindness is said once": Case(found(scaling=said("MetricsBlind", message="nothing answers")), BLIND),
    "who sees again goes on": Case(
        found(scaling=said("MetricsBlind", message="nothing answers")),
        wish(a=2),
        want_status={"state": "Active", "message": ""},
        want_told=("ScalingActive",),
    ),
    "a stranger's number in the dark stays, too": Case(
        found(replicas=7, generation=6, scaling=said("MetricsBlind", message="nothing answers")),
        BLIND,
        "kubectl",
        {"state": "Pinned", "forReplicas": 7},
        want_told=("ScalingPinned",),
    ),
    "what cannot be followed is said": Case(
        found(scaling=said()),
        Blind("the schedule is none", ScalingState.NOT_DECIDED),
        want_status={"state": "NotDecided", "message": "the schedule is none"},
        want_told=("NotDecided",),
    ),
    "who switches it off is no stranger afterwards": Case(
        found(mode="off", scaling=said(pools=pools(a=1, b=1))),
        wish(),
        want_status={"state": "Off", "forReplicas": 2, "pools": pools(a=1, b=1), "reason": "two are needed"},
    ),
    "what was advised is no last word when it is switched off": Case(
        found(mode="off", scaling=said("Advising", 5)),
        wish(),
        want_status={"state": "Off", "forReplicas": 2, "pools": []},
    ),
    "that it is off is said once": Case(found(mode="off", scaling=said("Off")), wish()),
    "a number that was written while it was off pins nothing": Case(
        found(replicas=7, generation=7, scaling=said("Off")),
        wish(a=3),
        "kubectl",
        {"state": "Active", "forReplicas": 3},
        3,
    ),
    "an annotation pins what runs, split as it is": Case(
        found(scaling=said(pools=pools(a=1, b=1)), pinned_until="2026-11-22T18:00:00Z"),
        wish(a=3),
        want_status={
            "state": "Pinned",
            "forReplicas": 2,
            "pools": pools(a=1, b=1),
            "message": "pinned at 2 by an annotation until 2026-11-22T18:00:00Z",
            "pinnedUntil": "",
        },
        want_told=("ScalingPinned",),
    ),
    "a pin by annotation ends with it": Case(
        found(scaling=said("Pinned")),
        wish(a=3),
        want_status={"state": "Active", "forReplicas": 3},
        want_replicas=3,
    ),
    "and at its time": Case(
        found(scaling=said("Pinned"), pinned_until="2026-11-22T12:00:00Z"),
        wish(a=3),
        want_status={"state": "Active", "forReplicas": 3},
        want_replicas=3,
    ),
    "an annotation that is no time is said, and what runs is held": Case(
        found(scaling=said(), pinned_until="tomorrow"),
        wish(a=3),
        want_status={
            "state": "NotDecided",
            "message": "annotation pointsman.dev/pinned-until is no time; write one such as "
            "2026-11-22T18:00:00Z, or remove it",
        },
        want_told=("NotDecided",),
    ),
    "a status of another version says nothing": Case(
        found(scaling={"state": "Later", "forReplicas": 9}),
        wish(a=2),
        "kubectl",
        {"state": "Active", "forReplicas": 2},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_steps(case: Case) -> None:
    made = steps(case.found, case.wrote, case.wanted, NOW)
    status = dict(made.scaling or {})
    assert bool(status) == bool(case.want_status)
    assert {name: status.get(name) for name in case.want_status} == case.want_status
    assert made.replicas == case.want_replicas
    scaled = () if case.want_replicas is None else ("Scaled",)
    assert tuple(told.reason for told in made.told) == (*case.want_told, *scaled)
    assert steps(
        after(case.found, made), MANAGER if made.replicas else case.wrote, case.wanted, NOW
    ).is_nothing


def after(before: ModelDeployment, made: Steps) -> ModelDeployment:
    """The deployment with what was written."""
    result = before
    if made.scaling is not None:
        said = ScalingStatus.model_validate(dict(made.scaling))
        status = before.status.model_copy(update={"scaling": said})
        result = result.model_copy(update={"status": status})
    if made.replicas is not None:
        spec = result.spec.model_copy(update={"replicas": made.replicas})
        meta = result.metadata.model_copy(update={"generation": result.metadata.generation + 1})
        result = result.model_copy(update={"spec": spec, "metadata": meta})
    return result


def test_a_pin_of_any_age_ends() -> None:
    pinned = found(replicas=7, scaling=said("Pinned", 7, pinnedUntil="2026-11-22T12:10:00Z"))
    for minutes, stays in ((0, True), (9, True), (10, False), (600, False)):
        made = steps(pinned, "kubectl", wish(a=3), NOW + timedelta(minutes=minutes))
        assert (made.replicas is None) is stays


def test_a_time_that_is_none_pins_nothing() -> None:
    pinned = found(replicas=7, scaling=said("Pinned", 7, pinnedUntil="soon"))
    assert steps(pinned, "kubectl", wish(a=3), NOW).replicas == 3


def test_an_event_says_what_the_condition_says() -> None:
    made = steps(found(replicas=7, generation=6, scaling=said()), "", wish(a=3), NOW)
    assert made.told == (Told("ScalingPinned", "pinned at 7 by somebody until 2026-11-22T12:30:00Z"),)


def test_a_changed_number_is_an_event_with_its_reason() -> None:
    made = steps(found(scaling=said()), MANAGER, wish("a burst of 7 requests waits", a=3), NOW)
    assert made.told == (Told("Scaled", "from 2 to 3: a burst of 7 requests waits"),)


def test_the_last_five_decisions_are_kept_with_their_reasons() -> None:
    one = found()
    for count in range(1, 9):
        made = steps(one, MANAGER, wish(f"{count} are needed", a=count), NOW + timedelta(minutes=count))
        one = after(one, made)
    blind = steps(one, MANAGER, BLIND, NOW + timedelta(minutes=10))
    one = after(one, blind)
    again = steps(one, MANAGER, wish("8 are needed again", a=8), NOW + timedelta(minutes=11))
    assert again.scaling is not None
    kept = [(past["since"], past["forReplicas"], past["reason"]) for past in again.scaling["history"]]
    assert kept == [
        ("2026-11-22T12:10:00Z", 8, "nothing answers"),
        ("2026-11-22T12:08:00Z", 8, "8 are needed"),
        ("2026-11-22T12:07:00Z", 7, "7 are needed"),
        ("2026-11-22T12:06:00Z", 6, "6 are needed"),
        ("2026-11-22T12:05:00Z", 5, "5 are needed"),
    ]

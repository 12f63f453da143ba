"""What becomes of objects that were stored under other rules than this version's."""

from __future__ import annotations

from typing import Any

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.controller.reading import Unreadable, read, said_of
from tests.support import manifests

NOW, LATER = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"
WRONG = Unreadable("spec.rules: is required; add it")


def stored(**status: Any) -> dict[str, Any]:
    return {**manifests.route("chat", ["a"], generation=3), "status": status}


def test_a_mistake_is_where_it_is_and_what_to_do() -> None:
    found = read(ModelRoute, {**stored(), "spec": {"models": ["chat"]}})
    assert found == Unreadable("spec.rules: is required; add it")


def test_a_status_of_another_version_does_not_hide_the_spec() -> None:
    found = read(ModelDeployment, {**manifests.deployment("a", engine="llama.cpp"), "status": {"pools": 7}})
    assert isinstance(found, ModelDeployment)
    assert found.status.pools == ()


def test_fields_of_a_later_version_are_passed_over() -> None:
    route = manifests.route("chat", ["a"])
    route["spec"]["ofTomorrow"] = True
    assert isinstance(read(ModelRoute, route), ModelRoute)


def test_it_is_said_once_and_keeps_what_others_need() -> None:
    live = stored(selector="a=b", scaling={"reason": "theirs"}, conditions=["of another shape"])
    plan = said_of(WRONG, live, "Accepted", NOW)
    assert plan.status is not None
    status = plan.status["status"]
    assert (status["selector"], status["observedGeneration"], "scaling" in status) == ("a=b", 3, False)
    assert [(one["type"], one["status"], one["reason"]) for one in status["conditions"]] == [
        ("Accepted", "False", "InvalidSpec"),
        ("Ready", "False", "InvalidSpec"),
    ]
    assert [event.is_warning for event in plan.announcements] == [True]
    again = said_of(WRONG, {**live, "status": dict(status)}, "Accepted", LATER)
    assert (again.status, again.announcements) == (plan.status, ())

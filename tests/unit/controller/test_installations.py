"""Two installations that act on one namespace: a model changes hands once, and is not fought over."""

from __future__ import annotations

from typing import Any

from pointsman.api import ObjectKey
from pointsman.controller.installations import INSTALLATION, LEFT_SECONDS, Installations
from pointsman.controller.plan import Plan

Json = dict[str, Any]
CHAT = ObjectKey("models", "chat")
POLICY: Json = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "chat"}}
SERVICE: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "chat"}}


class Shared:
    """The NetworkPolicy that both see, and how often it was written."""

    def __init__(self) -> None:
        self.now = 0.0
        self.policy: Json = POLICY
        self.writes = 0

    def installation(self, name: str) -> Installations:
        return Installations(name, clock=lambda: self.now)

    def look(self, one: Installations) -> str:
        """One look of an installation; who it left the model to."""
        other = one.left_to(CHAT, (SERVICE, self.policy))
        if not other:
            _, wanted = one.noted(Plan(apply=(SERVICE, POLICY))).apply
            self.writes += wanted != self.policy
            self.policy = dict(wanted)
            one.brought_about(CHAT)
        return other

    @property
    def holder(self) -> str:
        return str(self.policy["metadata"]["annotations"][INSTALLATION])


def test_a_model_changes_hands_once_and_who_lost_it_says_to_whom() -> None:
    shared = Shared()
    first, second = shared.installation("a/one"), shared.installation("b/two")
    assert shared.look(first) == ""
    assert shared.look(second) == "", "it may have been moved"
    for _ in range(100):
        assert shared.look(first) == "b/two"
        assert shared.look(second) == ""
    assert (shared.holder, shared.writes) == ("b/two", 2)
    said = first.announcement("b/two")
    assert said.is_warning
    assert said.message.endswith("a/one leaves this one to it")
    assert "lease b/two" in said.message


def test_after_a_while_it_is_tried_again_as_the_other_may_be_gone() -> None:
    shared = Shared()
    first, second = shared.installation("a/one"), shared.installation("b/two")
    for one in (first, second, first):
        shared.look(one)
    shared.now += LEFT_SECONDS
    assert shared.look(first) == ""
    assert shared.holder == "a/one"
    # It is not: now the other one leaves it.
    assert shared.look(second) == "a/one"
    assert shared.look(first) == ""


def test_an_installation_that_was_moved_takes_over_what_there_is() -> None:
    shared = Shared()
    shared.look(shared.installation("a/one"))
    moved = shared.installation("b/two")
    assert [shared.look(moved) for _ in range(3)] == ["", "", ""]
    assert shared.holder == "b/two"


def test_of_two_that_know_of_each_other_one_tells_of_routes() -> None:
    shared = Shared()
    first, second = shared.installation("a/one"), shared.installation("b/two")
    assert first.tells_of_routes("models")
    assert second.tells_of_routes("models")
    for one in (first, second, first):
        shared.look(one)
    assert first.tells_of_routes("models")
    assert not second.tells_of_routes("models")
    assert second.tells_of_routes("elsewhere")


def test_what_is_made_again_is_ours_to_make() -> None:
    shared = Shared()
    first, second = shared.installation("a/one"), shared.installation("b/two")
    for one in (first, second, first):
        shared.look(one)
    first.forget(CHAT)
    assert first.left_to(CHAT, ()) == ""


def test_nothing_but_the_policy_has_the_name() -> None:
    service, policy = Installations("a/one").noted(Plan(apply=(SERVICE, POLICY))).apply
    assert service == SERVICE
    assert policy["metadata"]["annotations"] == {INSTALLATION: "a/one"}

"""Weights that are stated by a branch, a tag or nothing are those of one commit, until somebody asks for
today's.
"""

from dataclasses import replace
from typing import Any

import pytest

from pointsman.controller.modeldeployment.decide import decide
from pointsman.controller.modeldeployment.frozen import to_pin
from pointsman.controller.modeldeployment.pinning import HubName, Pin, Question
from pointsman.controller.plan import Plan
from pointsman.workloads.revision import frozen_rendering
from tests.support.decided_cluster import Cluster, Json, own_model

MAIN = HubName("acme/gemma", "main")
FIRST, SECOND = "a" * 40, "b" * 40


def model(context: int = 2048, refresh: str = "", **stated: Any) -> Json:
    return own_model(
        model={"source": "hf://acme/gemma/m.gguf", "contextLength": context, **stated}, refresh=refresh
    )


class Looked(Cluster):
    """A cluster whose operator asks the hub before it decides. `hub` has the commits of names; of another it
    gives the `problem`.
    """

    def __init__(self, manifest: Json, hub: dict[str, str], problem: str = "") -> None:
        super().__init__(manifest)
        self.hub = hub
        self.problem = problem
        self.asked: list[HubName] = []

    def plan(self) -> Plan:
        snapshot = self.snapshot()
        question = to_pin(snapshot)
        if question is None:
            return decide(snapshot)
        name = question.name
        self.asked.append(name)
        pin = Pin(name, self.hub.get(name.name, ""), self.problem if name.name not in self.hub else "")
        return decide(replace(snapshot, pin=pin))

    @property
    def revision(self) -> tuple[str, str]:
        """Of the newest rendering: the revision of its weights, and the name that it was found by."""
        kept = max(self.of_revisions(), key=lambda one: int(one["revision"]))
        rendering = frozen_rendering(kept)
        return rendering.weights_revision, rendering.weights_name

    def of_revisions(self) -> list[Json]:
        return [child for (kind, _), child in self.children.items() if kind.kind == "ControllerRevision"]

    @property
    def fetched(self) -> str:
        """What the pods are told to fetch."""
        [template] = self.templates()
        return str(template["spec"]["initContainers"][0]["args"])


def looked() -> Looked:
    cluster = Looked(model(), {"main": FIRST})
    cluster.settle()
    cluster.run_pods()
    cluster.settle()
    return cluster


def moved(cluster: Looked) -> None:
    """The branch has another commit now."""
    cluster.asked.clear()
    cluster.hub = {"main": SECOND}


NAMES: dict[str, tuple[Json, HubName | None]] = {
    "nothing is the main branch": ({}, MAIN),
    "a branch": ({"revision": "next"}, HubName("acme/gemma", "next")),
    "a tag": ({"revision": "v1.2"}, HubName("acme/gemma", "v1.2")),
    "a commit": ({"revision": FIRST}, None),
    "a bucket": ({"source": "s3://models/gemma/m.gguf"}, None),
    "an image": ({"source": "oci://models.example.com/gemma:1#m.gguf"}, None),
}


@pytest.mark.parametrize(("stated", "want"), NAMES.values(), ids=NAMES)
def test_names_that_can_move_are_looked_up(stated: Json, want: HubName | None) -> None:
    asked = to_pin(Cluster(model(**stated)).snapshot())
    assert asked == (Question(want, is_urgent=True) if want else None)


def test_the_commit_is_what_pods_fetch_and_what_is_kept_and_shown() -> None:
    cluster = looked()
    assert cluster.asked == [MAIN]
    assert cluster.revision == (FIRST, str(MAIN))
    assert FIRST in cluster.fetched
    status = cluster.deployment["status"]
    assert status["weightsRevision"] == FIRST
    assert status["model"] == "acme/gemma@aaaa"
    assert cluster.condition("WeightsAvailable") == ("True", "Available")


def test_a_branch_that_moves_moves_nothing() -> None:
    cluster = looked()
    templates = cluster.templates()
    moved(cluster)
    cluster.settle()
    assert cluster.asked == []
    assert cluster.templates() == templates


def test_another_change_of_the_spec_keeps_the_weights() -> None:
    cluster = looked()
    moved(cluster)
    cluster.change(model(context=4096))
    cluster.settle()
    assert cluster.asked == []
    assert cluster.revision == (FIRST, str(MAIN))


def test_a_refresh_takes_the_commit_of_today() -> None:
    cluster = looked()
    moved(cluster)
    cluster.change(model(refresh="today"))
    cluster.settle()
    assert cluster.asked == [replace(MAIN, refresh="today")]
    assert cluster.revision == (SECOND, str(MAIN))
    assert SECOND in cluster.fetched


def test_a_refresh_beside_another_change_takes_it_too() -> None:
    cluster = looked()
    moved(cluster)
    cluster.change(model(context=4096, refresh="today"))
    cluster.settle()
    assert cluster.revision == (SECOND, str(MAIN))


def test_a_refresh_that_cannot_look_keeps_what_is_pinned_and_says_so() -> None:
    cluster = looked()
    moved(cluster)
    cluster.hub, cluster.problem = {}, "the hub cannot be reached (ClientConnectorError)"
    cluster.change(model(refresh="today"))
    [said] = [one for one in cluster.plan().announcements if one.reason == "RevisionNotResolved"]
    assert "cannot be reached" in said.message
    cluster.settle()
    assert cluster.revision == (FIRST, str(MAIN))
    assert cluster.condition("WeightsAvailable") == ("True", "Available")


def test_another_branch_is_looked_up() -> None:
    cluster = looked()
    cluster.asked.clear()
    tag = HubName("acme/gemma", "v1")
    cluster.hub = {"v1": SECOND}
    cluster.change(model(revision="v1"))
    cluster.settle()
    assert cluster.asked == [tag]
    assert cluster.revision == (SECOND, str(tag))


def test_a_commit_that_is_stated_is_taken_as_it_is() -> None:
    cluster = looked()
    cluster.asked.clear()
    cluster.change(model(revision=SECOND))
    cluster.settle()
    assert cluster.asked == []
    assert cluster.revision == (SECOND, "")
    assert "weightsRevision" not in cluster.deployment["status"]


def unknown() -> Looked:
    cluster = Looked(model(revision="next"), {}, "the hub cannot be reached (TimeoutError)")
    cluster.settle()
    cluster.run_pods()
    cluster.settle()
    return cluster


def test_without_the_hub_the_name_is_kept_and_it_is_said() -> None:
    cluster = unknown()
    assert cluster.revision == ("next", "")
    assert cluster.condition("WeightsAvailable") == ("True", "NotPinned")
    assert "hf://acme/gemma@next is not pinned" in cluster.message("WeightsAvailable")
    assert cluster.condition("Ready") == ("True", "ReplicasReady")
    assert "weightsRevision" not in cluster.deployment["status"]


def test_while_the_hub_is_away_it_is_asked_now_and_then_and_nothing_waits() -> None:
    cluster = unknown()
    asked = to_pin(cluster.snapshot())
    assert asked is not None
    assert not asked.is_urgent
    plan = cluster.plan()
    assert plan.again_after_seconds is not None
    assert [one.reason for one in plan.announcements] == []
    assert cluster.carry_out(plan) == []


def test_when_the_hub_is_there_again_the_commit_is_noted_and_no_pod_moves() -> None:
    cluster = unknown()
    templates, revisions = cluster.templates(), len(cluster.of_revisions())
    cluster.hub = {"next": FIRST}
    cluster.settle()
    cluster.asked.clear()
    assert cluster.plan().again_after_seconds is None
    assert cluster.asked == []
    assert cluster.templates() == templates
    assert len(cluster.of_revisions()) == revisions + 1
    assert cluster.revision == ("next", "hf://acme/gemma@next")
    assert cluster.condition("WeightsAvailable") == ("True", "NotPinned")
    assert f"set spec.refresh to take {FIRST}" in cluster.message("WeightsAvailable")
    assert "weightsRevision" not in cluster.deployment["status"]


CHANGES: dict[str, Json] = {
    "another change": model(context=4096, revision="next"),
    "a refresh that cannot look": model(refresh="1", revision="next"),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_the_pods_that_are_made_next_have_the_commit_that_was_noted(changed: Json) -> None:
    cluster = unknown()
    cluster.hub = {"next": FIRST}
    cluster.settle()
    cluster.hub = {}
    cluster.change(changed)
    cluster.settle()
    cluster.run_pods()
    cluster.settle()
    assert FIRST in cluster.fetched
    assert cluster.revision == (FIRST, "hf://acme/gemma@next")
    assert cluster.condition("WeightsAvailable") == ("True", "Available")


def test_a_refresh_takes_the_commit_of_today_where_none_was_known() -> None:
    cluster = unknown()
    cluster.hub = {"next": FIRST}
    cluster.change(model(revision="next", refresh="1"))
    cluster.settle()
    assert cluster.revision == (FIRST, "hf://acme/gemma@next")


def test_what_an_older_version_froze_keeps_its_pods_and_its_name() -> None:
    """Before, nothing was looked up; the same document is read, and nothing is written anew."""
    cluster = Cluster(model())
    cluster.settle()
    [before] = [child for (kind, _), child in cluster.children.items() if kind.kind == "ControllerRevision"]
    assert "weightsName" not in before["data"]["rendering"]
    asked = to_pin(cluster.snapshot())
    assert asked is not None
    assert not asked.is_urgent
    cluster.orphan()
    cluster.settle()
    assert [kind for kind in cluster.kinds() if kind == "ControllerRevision"] == ["ControllerRevision"]

"""Whoever writes is not told of just that, and of everything else, whenever the watch tells of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman.controller.children import Children
from pointsman.controller.primaries import Primaries
from pointsman.kube.objects import MODEL_DEPLOYMENT, SERVICE
from pointsman.workloads.naming import DEPLOYMENT

CHAT = ObjectKey("models", "chat")


def service(version: int, **more: Any) -> dict[str, Any]:
    meta = {"name": "chat", "namespace": "models", "uid": "s", "resourceVersion": str(version)}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**meta, "labels": {DEPLOYMENT: "chat"}},
        "spec": more,
    }


class Told:
    """Children whose watch and writer are this test."""

    def __init__(self) -> None:
        self.of: list[ObjectKey] = []
        self.children = Children(self.of.append)
        self._hear = self.children.listener(SERVICE)
        self._known: dict[str, Any] | None = None

    def watch(self, now: dict[str, Any] | None) -> None:
        self._hear(self._known, now)
        self._known = now


def test_a_child_that_was_made_is_no_news_after_the_answer() -> None:
    told = Told()
    with told.children.making(service(1)) as made:
        made(service(1))
        told.children.wrote(SERVICE, service(1))
    told.watch(service(1))
    assert told.of == []


def test_a_child_that_was_made_is_no_news_before_the_answer() -> None:
    told = Told()
    with told.children.making(service(1)) as made:
        told.watch(service(1))
        made(service(1))
        told.children.wrote(SERVICE, service(1))
    assert told.of == []


def test_what_becomes_of_it_is_news() -> None:
    told = Told()
    with told.children.making(service(1)) as made:
        made(service(1))
        told.children.wrote(SERVICE, service(1))
    told.watch(service(1))
    told.watch(service(2, clusterIP="10.0.0.1"))
    assert told.of == [CHAT]


def test_what_became_of_it_before_the_answer_is_news() -> None:
    told = Told()
    with told.children.making(service(1)) as made:
        told.watch(service(1))
        told.watch(service(2))
        assert told.of == [], "whether it is ours is not known yet"
        made(service(1))
        told.children.wrote(SERVICE, service(1))
    assert told.of == [CHAT]


def test_a_list_that_has_something_newer_in_its_place_is_news() -> None:
    told = Told()
    with told.children.making(service(1)) as made:
        made(service(1))
        told.children.wrote(SERVICE, service(1))
    told.watch(service(3))
    assert told.of == [CHAT]


def test_what_was_heard_while_a_write_failed_is_news() -> None:
    told = Told()
    with suppress(OSError), told.children.making(service(1)):
        told.watch(service(1))
        raise OSError
    assert told.of == [CHAT]


def test_that_it_went_is_news() -> None:
    told = Told()
    with told.children.making(service(1)) as made:
        made(service(1))
        told.children.wrote(SERVICE, service(1))
    told.watch(service(1))
    told.watch(None)
    assert told.of == [CHAT]
    told.watch(service(1))
    assert told.of == [CHAT, CHAT], "nothing of the former is left that could be taken for it"


def model(version: int, *, generation: int = 1, **status: Any) -> dict[str, Any]:
    meta = {"name": "chat", "namespace": "models", "uid": "m", "resourceVersion": str(version)}
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {**meta, "generation": generation},
        "spec": {"replicas": generation},
        "status": status,
    }


class Seen:
    """Primaries that have seen one model, and how often something was told since."""

    def __init__(self) -> None:
        self.times = 0
        self.primaries = Primaries(MODEL_DEPLOYMENT, self._count)
        self.primaries.saw(model(1), gone=False)
        assert self.times == 1
        self.times = 0

    def _count(self, _: object) -> None:
        self.times += 1

    def held(self) -> str:
        found = self.primaries.get(CHAT)
        assert found is not None
        return str(found["metadata"]["resourceVersion"])


WANTED = model(0, model="gemma")


def test_a_status_that_was_written_is_no_news() -> None:
    seen = Seen()
    with seen.primaries.writing(WANTED) as wrote:
        wrote(model(2, model="gemma"))
    seen.primaries.saw(model(2, model="gemma"), gone=False)
    assert (seen.times, seen.held()) == (0, "2")


def test_a_status_that_was_written_is_no_news_before_the_answer() -> None:
    seen = Seen()
    with seen.primaries.writing(WANTED) as wrote:
        seen.primaries.saw(model(2, model="gemma"), gone=False)
        wrote(model(2, model="gemma"))
    assert (seen.times, seen.held()) == (0, "2")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(model(3, generation=2, model="gemma"), id="spec"),
        pytest.param(model(3, model="gemma", scaling={"forReplicas": 2}), id="another's status"),
    ],
)
def test_somebody_elses_change_in_the_answer_is_news_though_no_watch_tells_of_it(
    answer: dict[str, Any],
) -> None:
    seen = Seen()
    with seen.primaries.writing(WANTED) as wrote:
        wrote(answer)
    assert seen.times > 0
    assert seen.held() == "3"


def test_somebody_elses_change_before_the_write_is_news_when_the_watch_tells_of_it() -> None:
    seen = Seen()
    with seen.primaries.writing(WANTED) as wrote:
        wrote(model(3, model="gemma"))
    seen.primaries.saw(model(2), gone=False)
    assert (seen.times, seen.held()) == (1, "3")
    seen.primaries.saw(model(3, model="gemma"), gone=False)
    assert seen.times == 2, "told once too often, and never once too little"


def test_a_model_that_went_is_news() -> None:
    seen = Seen()
    with seen.primaries.writing(WANTED) as wrote:
        wrote(model(2, model="gemma"))
    seen.primaries.saw(model(2, model="gemma"), gone=True)
    assert seen.times == 1

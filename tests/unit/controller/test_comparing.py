"""What the watch missed is found by a list, and what it told meanwhile is not undone by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman.controller.comparing import Comparison
from pointsman.controller.primaries import Primaries
from pointsman.kube.errors import Gone, KindNotServed
from pointsman.kube.objects import MODEL_DEPLOYMENT, Kind, KubeObject
from pointsman.kube.ports import Chunk, Selection
from tests.support.virtual_time import run_in_virtual_time


def obj(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "chat", "resourceVersion": str(version)}}


class Server:
    """What the API server has; `late` is there for a get and was not yet for the list."""

    def __init__(
        self, *objects: KubeObject, late: tuple[str, ...] = (), away: int = 0, unserved: int = 0
    ) -> None:
        """`away`: so many lists fail first; `unserved`: for so many the kind is not there."""
        self.unserved = unserved
        self.objects = objects
        self.late = late
        self.away = away

    async def get(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        found = [one for one in self.objects if one["metadata"]["name"] == key.name]
        return found[0] if found else (obj(key.name, 9) if key.name in self.late else None)

    async def chunks(self, selection: Selection) -> AsyncGenerator[Chunk, None]:
        if self.away:
            self.away -= 1
            raise Gone("the list took too long")
        if self.unserved:
            self.unserved -= 1
            raise KindNotServed("the API server does not serve this")
        yield Chunk(self.objects[:1], "9")
        yield Chunk(self.objects[1:], "9")


async def after(server: Server, *held: KubeObject) -> dict[str, str]:
    """Name -> resource version of what is held once it was compared."""
    primaries = Primaries(MODEL_DEPLOYMENT, lambda ident: None)
    for one in held:
        primaries.saw(one, gone=False)
    compared = Comparison(server, (primaries,), (), lambda kind, one, gone: primaries.saw(one, gone))
    await compared.once()
    found = {key.name: primaries.get(key) for key in primaries}
    return {name: one["metadata"]["resourceVersion"] for name, one in found.items() if one is not None}


async def test_what_went_unseen_is_let_go() -> None:
    assert await after(Server(obj("a", 1)), obj("a", 1), obj("b", 2)) == {"a": "1"}


async def test_what_came_unseen_is_taken() -> None:
    assert await after(Server(obj("a", 1), obj("b", 2)), obj("a", 1)) == {"a": "1", "b": "2"}


async def test_what_changed_unseen_is_taken_and_what_is_newer_stays() -> None:
    held = (obj("a", 1), obj("b", 7))
    assert await after(Server(obj("a", 5), obj("b", 6)), *held) == {"a": "5", "b": "7"}


async def test_what_came_after_the_list_is_kept() -> None:
    assert await after(Server(obj("a", 1), late=("b",)), obj("a", 1), obj("b", 9)) == {"a": "1", "b": "9"}


def test_who_begins_to_lead_waits_for_the_first_list_through_trouble() -> None:
    """An API server that is away or forgets a list for a moment must not end the process."""
    primaries = Primaries(MODEL_DEPLOYMENT, lambda ident: None)
    server = Server(obj("a", 1), away=3)
    compared = Comparison(server, (primaries,), (), lambda _, one, gone: primaries.saw(one, gone))
    run_in_virtual_time(lambda _: compared.first())
    assert [key.name for key in primaries] == ["a"]


@pytest.mark.parametrize(("times", "is_known"), [(1, True), (9, False)], ids=["for a moment", "for long"])
def test_a_kind_that_is_not_served_is_waited_for_a_moment_and_not_for_ever(
    times: int, is_known: bool
) -> None:
    primaries = Primaries(MODEL_DEPLOYMENT, lambda ident: None)
    server = Server(obj("a", 1), unserved=times)
    told: list[frozenset[Kind]] = []
    compared = Comparison(
        server,
        (primaries,),
        (),
        lambda _, one, gone: primaries.saw(one, gone),
        lambda: told.append(compared.unserved),
    )

    run_in_virtual_time(lambda _: compared.first())

    assert (len(primaries) == 1, compared.unserved == set()) == (is_known, is_known)
    assert told[0] == {MODEL_DEPLOYMENT}
    run_in_virtual_time(lambda _: _looked_again(compared))
    assert (len(primaries), told[-1]) == (1, frozenset())


async def _looked_again(compared: Comparison) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(compared.run(), 60)

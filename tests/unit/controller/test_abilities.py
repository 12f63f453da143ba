"""What the API server can is found out while the operator runs, and told when it changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from pointsman.controller.abilities import Abilities
from pointsman.kube.errors import Forbidden, KubeError
from pointsman.kube.objects import LEADER_WORKER_SET, NODE, POD_MONITOR
from pointsman.kube.ports import Selection
from pointsman.kube.server_version import ServerVersion
from pointsman.workloads import Surroundings
from tests.support.polling import eventually_async


class ApiServer:
    """Says these versions, one after another and the last for ever; None is a refusal. `changes` counts what
    the operator was told.
    """

    def __init__(self, *versions: str | None) -> None:
        self.asked = 0
        self.changes = 0
        self._versions = versions

    async def version(self) -> ServerVersion:
        said = self._versions[min(self.asked, len(self._versions) - 1)]
        self.asked += 1
        if said is None:
            raise Forbidden("no", status=403)
        major, _, minor = said.partition(".")
        return ServerVersion.of({"major": major, "minor": minor})

    def changed(self) -> None:
        self.changes += 1


@asynccontextmanager
async def watched(server: ApiServer) -> AsyncIterator[Abilities]:
    abilities = Abilities(server.version, server.changed)
    running = asyncio.create_task(abilities.run())
    try:
        await abilities.known()
        yield abilities
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def seen(abilities: Abilities) -> Surroundings:
    return abilities.added_to(Surroundings(weights_claim="kept"))


VERSIONS: dict[str, tuple[str | None, bool]] = {
    "one that drops the field": ("1.34", False),
    "one whose provider marks it": ("1.34+", False),
    "the first that keeps it": ("1.35", True),
    "a later one": ("1.36+", True),
    "a later major one": ("2.0", True),
    "one that says nothing": (None, False),
}


@pytest.mark.parametrize(("version", "want"), VERSIONS.values(), ids=VERSIONS)
async def test_image_volumes_are_those_of_the_version(version: str | None, want: bool) -> None:
    async with watched(ApiServer(version)) as abilities:
        assert seen(abilities).image_volumes is want
        assert seen(abilities).weights_claim == "kept"


async def test_it_is_asked_once_and_again_when_a_watch_goes_on_after_trouble() -> None:
    server = ApiServer("1.34", "1.35")
    async with watched(server) as abilities:
        abilities.heard(Selection(NODE), True)
        await asyncio.sleep(0)
        assert (server.asked, server.changes) == (1, 0)
        abilities.heard(Selection(NODE), True)
        await eventually_async(lambda: server.asked == 2, 30, "it is asked again")
        await eventually_async(lambda: server.changes == 1, 30, "the new version is told")
        assert seen(abilities).image_volumes
        assert seen(abilities).kubernetes == "1.35"


async def test_who_got_no_answer_asks_again_as_soon_as_the_server_answers_anything() -> None:
    server = ApiServer(None, "1.36")
    async with watched(server) as abilities:
        assert not seen(abilities).image_volumes
        abilities.heard(Selection(NODE), True)
        await eventually_async(lambda: server.changes == 1, 30, "the version is told")
        assert seen(abilities).image_volumes


async def test_what_was_known_stays_when_nobody_answers() -> None:
    server = ApiServer("1.36", None)
    async with watched(server) as abilities:
        for _ in range(2):
            abilities.heard(Selection(NODE), True)
        await eventually_async(lambda: server.asked == 2, 30, "it is asked again")
        assert seen(abilities).image_volumes
        assert server.changes == 0


async def test_kinds_come_and_go_while_it_runs() -> None:
    server = ApiServer("1.36")
    async with watched(server) as abilities:
        assert (seen(abilities).leader_worker_sets, seen(abilities).pod_monitors) == (False, False)
        for namespace in ("a", "b"):
            abilities.heard(Selection(LEADER_WORKER_SET, namespace), True)
        assert (seen(abilities).leader_worker_sets, seen(abilities).pod_monitors) == (True, False)
        abilities.heard(Selection(POD_MONITOR), True)
        assert seen(abilities).pod_monitors
        assert server.changes == 2
        abilities.heard(Selection(LEADER_WORKER_SET, "a"), False)
        assert seen(abilities).leader_worker_sets
        abilities.heard(Selection(LEADER_WORKER_SET, "b"), False)
        assert not seen(abilities).leader_worker_sets
        assert server.changes == 3


@pytest.mark.parametrize("answer", [{}, {"major": "1"}, {"major": "1", "minor": "next"}, [], None])
def test_an_answer_that_is_no_version_is_an_error(answer: object) -> None:
    with pytest.raises(KubeError, match="does not say its version"):
        ServerVersion.of(answer)

"""Tasks that live and end together."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.kube.errors import LeadershipLost
from pointsman.kube.together import together, until_one_ends


class Endless:
    """Runs until it is cancelled, and takes its time to end."""

    def __init__(self) -> None:
        self.has_ended = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.has_ended = True


async def done() -> None:
    """Has nothing to do."""


async def failing(error: Exception) -> None:
    raise error


async def test_the_first_to_end_ends_the_others() -> None:
    other = Endless()
    await until_one_ends([asyncio.create_task(other.run()), asyncio.create_task(done())])
    assert other.has_ended


async def test_the_error_of_the_first_is_raised_when_the_others_have_ended() -> None:
    other = Endless()
    with pytest.raises(ValueError, match="no"):
        await until_one_ends(
            [asyncio.create_task(other.run()), asyncio.create_task(failing(ValueError("no")))]
        )
    assert other.has_ended


async def test_a_lost_lease_counts_more_than_what_else_failed() -> None:
    with pytest.raises(LeadershipLost):
        await together({"a": failing(ValueError("no")), "b": failing(LeadershipLost("it is another's"))})

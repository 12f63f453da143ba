"""The queue hands each key to one worker at a time, once however often it was named, and failures later."""

import asyncio
from random import Random

import pytest

from pointsman.controller.work_queue import RETRIES, WorkQueue


@pytest.fixture
def queue() -> WorkQueue[str]:
    return WorkQueue(Random(1))


async def test_a_key_named_often_is_handed_out_once(queue: WorkQueue[str]) -> None:
    for key in "aabab":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert queue.depth == 0


async def test_a_key_named_while_it_is_worked_on_is_handed_out_again_and_not_before(
    queue: WorkQueue[str],
) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    assert queue.depth == 0
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_a_worker_waits_for_the_next_key(queue: WorkQueue[str]) -> None:
    taking = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(taking, 30) == "a"


async def test_a_worker_that_is_cancelled_as_it_is_woken_leaves_the_key_to_the_next(
    queue: WorkQueue[str],
) -> None:
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 30) == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_key_for_later_comes_at_the_earliest_of_its_times(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 3600)
    queue.add_after("a", 0.01)
    queue.add_after("a", 3600)
    assert await asyncio.wait_for(queue.get(), 30) == "a"
    queue.done("a")
    assert queue.idle


async def test_a_key_that_is_due_now_is_not_due_again_later(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0.01)
    queue.add("a")
    await queue.get()
    queue.done("a")
    later = asyncio.create_task(queue.get())
    done, _ = await asyncio.wait([later], timeout=0.1)
    assert not done
    later.cancel()


async def test_each_failure_waits_longer_up_to_a_bound_and_a_success_starts_anew(
    queue: WorkQueue[str],
) -> None:
    waits = [queue.retry("a") for _ in range(100)]
    for number, wait in enumerate(waits, start=1):
        assert RETRIES.wait_seconds(number, 0) <= wait <= RETRIES.wait_seconds(number, 1)
    queue.succeeded("a")
    assert queue.retry("a") <= RETRIES.first_seconds
    queue.close()


async def test_the_servers_own_wish_to_wait_is_kept(queue: WorkQueue[str]) -> None:
    assert queue.retry("a", at_least_seconds=30) == 30
    queue.close()


async def test_what_is_forgotten_does_not_come_back(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0.01)
    queue.forget("a")
    later = asyncio.create_task(queue.get())
    done, _ = await asyncio.wait([later], timeout=0.1)
    assert not done
    later.cancel()

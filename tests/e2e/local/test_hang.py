"""Engines that hang and live on: traffic goes elsewhere, it is said, and they are started again."""

import asyncio
import shutil
import signal
from collections.abc import Callable

import aiohttp
import psutil

from tests.e2e.local.running_up import Up, runs
from tests.support.polling import eventually_async
from tests.support.processes import REPOSITORY

# Noticed after two answers that did not come, given up after half a minute; twice that on a busy machine.
NOTICED_SECONDS, ENDED_SECONDS, BACK_SECONDS = 30.0, 70.0, 60.0


async def asked(one: Up, session: aiohttp.ClientSession) -> tuple[int, str, str]:
    """Status, target and text of one streamed answer."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "Where is Rome?"}], "stream": True}
    body |= {"max_tokens": 8}
    async with session.post(f"{one.url}/chat/completions", json=body) as response:
        text = (await response.read()).decode()
        return response.status, response.headers.get("x-pointsman-target", ""), text


async def test_the_primary_of_the_quickstart_hangs(up: Callable[..., Up]) -> None:
    one = up()
    for manifest in (REPOSITORY / "examples" / "quickstart").glob("*.yaml"):
        shutil.copy(manifest, one.folder)
    one.until_ready("chat-primary", "chat-backup")
    one.until_ready("chat", kind="ModelRoute")
    one.until_settled("chat-primary", replicas=2)
    hung = one.engines("chat-primary")
    answers: list[tuple[int, str, str]] = []
    refused: list[tuple[int, str, str]] = []
    stop = asyncio.Event()

    async with aiohttp.ClientSession() as session:

        async def keep_asking() -> None:
            while not stop.is_set():
                answer = await asked(one, session)
                if answer[0] == 503:
                    # As OpenAI's clients do, which ask twice more by default.
                    refused.append(answer)
                    answer = await asked(one, session)
                answers.append(answer)

        await eventually_async(lambda: _answers(one, session, "chat-primary"), 30, "the primary answers")
        for pid in hung:
            psutil.Process(pid).send_signal(signal.SIGSTOP)
        asking = asyncio.create_task(keep_asking())
        await eventually_async(
            lambda: one.condition("ModelDeployment", "chat-primary", "Ready").get("reason") == "EngineSilent",
            NOTICED_SECONDS,
            "it is noticed",
        )
        row = one.run("get", "pmd/chat-primary").stdout.splitlines()[1].split()
        assert (row[1], row[-3:-1]) == ("False", ["0", "2"])
        said = "an engine runs and does not answer: it gets no requests"
        await eventually_async(lambda: said in one.output, 30, "it is said on the terminal")
        await eventually_async(
            lambda: answers[-1][1].endswith("chat-backup") if answers else False,
            NOTICED_SECONDS,
            "the backup answers",
        )
        await eventually_async(lambda: not any(map(runs, hung)), ENDED_SECONDS, "they are ended")
        await asyncio.to_thread(one.until_settled, "chat-primary", 2)
        await eventually_async(
            lambda: answers[-1][1].endswith("chat-primary"), BACK_SECONDS, "the primary answers again"
        )
        stop.set()
        await asking
    assert [answer for answer in answers if answer[0] != 200 or "[DONE]" not in answer[2]] == [], one.output
    # The backup's only replica may lose a connection on a machine that does too much at once.
    assert len(refused) <= 1, (refused, one.output)
    assert "and was ended" in one.output


async def _answers(one: Up, session: aiohttp.ClientSession, target: str) -> bool:
    return (await asked(one, session))[1].endswith(target)

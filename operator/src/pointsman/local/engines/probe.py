"""Asking an engine whether it can answer, and whether it is answering anyone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from pointsman.catalog import shipped_catalog
from pointsman.local.engines.spec import probe_order

_RUNNING = ("llamacpp:requests_processing ", "llamacpp:requests_deferred ")
# A first token on a slow machine with a large model takes some seconds; the start-up budget bounds all
# attempts.
_TOKEN_TIMEOUT = aiohttp.ClientTimeout(total=120)
_METRICS_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True)
class Refusal:
    """Why an engine that answers is not ready; `final` if asking again cannot help."""

    message: str
    final: bool


def _request(tasks: Sequence[str], model: str) -> tuple[str, dict[str, Any]]:
    match probe_order(tasks):
        case "chat":
            asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
            return "/v1/chat/completions", {"model": model, **asked}
        case "embedding":
            return "/v1/embeddings", {"model": model, "input": "hi"}
        case "rerank":
            return "/v1/rerank", {"model": model, "query": "hi", "documents": ["hi"]}
        case _:
            return "/v1/completions", {"model": model, "prompt": "hi", "max_tokens": 1}


async def first_token(
    session: aiohttp.ClientSession, port: int, tasks: Sequence[str], model: str
) -> Refusal | None:
    """Ask for one real token; None if it came. An engine's own word for being healthy comes too early."""
    path, body = _request(tasks, model)
    try:
        async with session.post(
            f"http://127.0.0.1:{port}{path}", json=body, timeout=_TOKEN_TIMEOUT
        ) as answer:
            if answer.status == 200:
                await answer.read()
                return None
            text = " ".join((await answer.text())[:300].split())
            return Refusal(f"{path} answers {answer.status}: {text}", final=400 <= answer.status < 500)
    except (aiohttp.ClientError, TimeoutError) as error:
        return Refusal(f"{path} does not answer ({type(error).__name__})", final=False)


async def answers(session: aiohttp.ClientSession, port: int) -> bool:
    """Whether the engine says that it is alive, which it does while it computes. Not bounded: the caller's
    timeout is.
    """
    path = shipped_catalog().engines["llama.cpp"].endpoints.alive
    try:
        async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
            await answer.read()
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def running_requests(session: aiohttp.ClientSession, port: int) -> int | None:
    """How many requests the engine works on or holds back; None if it does not say."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/metrics", timeout=_METRICS_TIMEOUT) as answer:
            if answer.status != 200:
                return None
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return None
    values = [float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(_RUNNING)]
    return int(sum(values)) if values else None

"""What names of the Hugging Face hub are now: asked in the background, a few at once, each once for all.

Without a token: the operator reads no Secrets, so that of a private repository it learns nothing and says so.
Nobody waits for a hub that is away: for a while each question is answered with that.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import aiohttp
import structlog

from pointsman.api import EgressProxy, ObjectKey
from pointsman.controller.modeldeployment.pinning import HubName, Pin
from pointsman.kube.clock import Clock, elapsed_seconds

_log = structlog.get_logger(__name__)

_ANSWER_SECONDS = 5.0
"""A first rollout waits so long at most; the page of a model comes within a fraction of a second."""
_AT_ONCE = 8
_FRESH_SECONDS = 10.0
"""For the look that asked, and for those who ask the same at the same time."""
_WAITING_SECONDS = 600.0
"""Who asked may come that late: a thousand others may be looked at first."""
_AWAY_SECONDS = 60.0
_ERROR = "X-Error-Code"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(slots=True)
class _Asked:
    """One name. `pin` is None until there is an answer, which `waiting` are told of and come for once."""

    waiting: set[ObjectKey] = field(default_factory=set)
    pin: Pin | None = None
    until: float = 0.0

    def is_kept(self, now: float) -> bool:
        """Whether somebody may still ask for it, or come for the answer."""
        return self.pin is None or now < self.until + (_WAITING_SECONDS if self.waiting else 0.0)


class Hub:
    """`of` what a name is, `run` while leading. `changed` is told which deployments asked, once there is an
    answer; `proxy` is the way to a hub that speaks HTTPS.
    """

    def __init__(
        self,
        url: str,
        changed: Callable[[ObjectKey], None],
        *,
        proxy: EgressProxy | None = None,
        clock: Clock = elapsed_seconds,
    ) -> None:
        self._url = url.rstrip("/")
        self._changed = changed
        self._proxy = proxy.url if proxy is not None and url.startswith("https://") else None
        self._clock = clock
        self._asked: dict[HubName, _Asked] = {}
        self._due: asyncio.Queue[HubName] = asyncio.Queue()
        self._away_until = float("-inf")
        self._away = ""

    def of(self, name: HubName, deployment: ObjectKey) -> Pin | None:
        """What is known of the name; None while it is asked, and the deployment is told of the answer."""
        now = self._clock()
        asked = self._asked.get(name)
        if asked is not None and asked.pin is not None and (now < asked.until or deployment in asked.waiting):
            asked.waiting.discard(deployment)
            return asked.pin
        if now < self._away_until:
            return Pin(name, problem=self._away)
        if asked is None or asked.pin is not None:
            asked = self._asked[name] = _Asked()
            self._due.put_nowait(name)
        asked.waiting.add(deployment)
        return None

    async def run(self) -> None:
        """Ask until cancelled. What was asked and not answered when it was cancelled before is forgotten."""
        self._asked.clear()
        self._due = asyncio.Queue()
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._work(session))

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            name = await self._due.get()
            try:
                pin = await self._look(session, name)
            except Exception as error:  # whoever waits must hear something, whatever is wrong here
                _log.exception("internal_error", name=str(name), error=type(error).__name__)
                pin = Pin(name, problem="the question could not be asked")
            now = self._clock()
            asked = self._asked[name]
            asked.pin = pin
            asked.until = now + (_FRESH_SECONDS if pin.commit else _AWAY_SECONDS)
            self._asked = {one: it for one, it in self._asked.items() if it.is_kept(now)}
            if pin.problem:
                _log.warning("revision_not_resolved", name=str(name), why=pin.problem)
            for deployment in sorted(asked.waiting):
                self._changed(deployment)

    async def _look(self, session: aiohttp.ClientSession, name: HubName) -> Pin:
        url = f"{self._url}/api/models/{name.repository}/revision/{quote(name.name, safe='')}"
        try:
            async with session.get(url, proxy=self._proxy) as answer:
                if answer.status != 200:
                    return Pin(name, problem=_refusal(answer))
                said = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._away = f"the hub cannot be reached ({type(error).__name__})"
            self._away_until = self._clock() + _AWAY_SECONDS
            return Pin(name, problem=self._away)
        commit = str(said.get("sha", "")) if isinstance(said, dict) else ""
        if _COMMIT.fullmatch(commit):
            return Pin(name, commit)
        return Pin(name, problem="the hub names no commit")


def _refusal(answer: aiohttp.ClientResponse) -> str:
    match answer.headers.get(_ERROR, ""):
        case "RevisionNotFound":
            return "the repository has no such branch or tag"
        case "RepoNotFound" | "GatedRepo":
            return "the hub does not show the repository to the operator, which has no token"
        case _:
            return f"the hub answers {answer.status}"

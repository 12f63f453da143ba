"""`pointsman demo`: the quickstart served, asked, its first model killed, asked again, and traffic back."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp

from pointsman.api import ModelRoute
from pointsman.errors import PointsmanError
from pointsman.local.asking import Answer, ask
from pointsman.local.display.table import value_at
from pointsman.local.display.terminal import Terminal
from pointsman.local.engines.records import read_records
from pointsman.local.processes import RunningProcess
from pointsman.local.run import LocalMode, UpSettings
from pointsman.local.scaling import MakeScaling
from pointsman.local.state import StateFolder
from pointsman.routing.route_status import default_rule

FIRST_QUESTION = "What is the capital of France?"
SECOND_QUESTION = "How many legs has a cat?"
_QUIET_QUESTION = "Where is Rome?"

_READY_SECONDS = 300.0
"""Weights are put together and engines start: seconds; minutes on a slow disk."""
_BACK_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_ANSWER_WIDTH = 44


class Demonstration:
    """One run of the demo; ends by itself if `once`, else stays up until Ctrl-C."""

    def __init__(
        self, settings: UpSettings, terminal: Terminal, make_scaling: MakeScaling, *, once: bool
    ) -> None:
        self._url = settings.listen.url
        self._paths = settings.paths
        self._state = StateFolder(settings.state)
        self._terminal = terminal
        self._once = once
        self._mode = LocalMode(settings, terminal, make_scaling)

    async def run(self) -> None:
        """Raises PointsmanError if anything does not go as shown."""
        serving = asyncio.create_task(self._mode.serve())
        talking = asyncio.create_task(self._talk())
        await asyncio.wait((serving, talking), return_when=asyncio.FIRST_COMPLETED)
        if talking.done() and (self._once or talking.exception() is not None):
            self._mode.stop()
        await asyncio.wait((serving,))
        talking.cancel()
        await asyncio.wait((talking,))
        serving.result()
        if not talking.cancelled():
            talking.result()

    async def _talk(self) -> None:
        async with aiohttp.ClientSession() as session:
            route = await self._until_everything_is_ready()
            rule = default_rule(route)
            primary = rule.targets[0].deployment
            model = route.spec.models[0]
            self._terminal.plain("")
            answer = await self._ask(session, model, FIRST_QUESTION)
            _expect(answer.target == primary, f"{answer.target} answered, not {primary}")

            self._terminal.plain(f"\n killing {primary}'s engines …")
            killed_at = time.monotonic()
            self._kill_engines(route.metadata.namespace, primary)
            answer = await self._ask(session, model, SECOND_QUESTION)
            _expect(answer.target != primary, f"{primary} answered although its engines were killed")
            await self._until_back(session, model, primary)
            back_seconds = time.monotonic() - killed_at
            self._terminal.plain(f" {primary} is ready again after {back_seconds:.1f} s, traffic is back.")
            if not self._once:
                self._terminal.plain(next_steps(self._url, self._paths[0], model, primary))

    async def _ask(self, session: aiohttp.ClientSession, model: str, question: str) -> Answer:
        self._terminal.plain(f" you  › {question}")
        with self._terminal.held():
            self._terminal.write(f" {model:<4} › ")
            answer = await ask(
                session,
                self._url,
                model,
                question,
                lambda piece: self._terminal.write(piece.replace("\n", " ")),
            )
            pace = f", {answer.tokens_per_second:.0f} tokens/s" if answer.tokens_per_second else ""
            failed = answer.attempts - 1
            after = f"after {failed} failed attempt{'s' if failed > 1 else ''}, " if failed else ""
            told = f"({answer.target}, {after}first token {answer.first_token_seconds:.2f} s{pace})"
            self._terminal.write(f"{' ' * max(1, _ANSWER_WIDTH - len(answer.text))} {told}\n")
        _expect(bool(answer.text), "the answer is empty")
        return answer

    async def _until_everything_is_ready(self) -> ModelRoute:
        """The first route, once it and every deployment with all its replicas are ready."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            routes = self._state.objects("ModelRoute")
            deployments = self._state.objects("ModelDeployment")
            # Files of a former run are there before the first look: only a running `up` counts.
            if routes and self._state.read_up() and all(_is_complete(one) for one in deployments + routes):
                return ModelRoute.model_validate(routes[0], extra="ignore")
            await asyncio.sleep(_LOOK_SECONDS)
        raise PointsmanError(
            f"the quickstart was not ready within {_READY_SECONDS:.0f} s",
            where="demo",
            todo="the lines above say why",
        )

    def _kill_engines(self, namespace: str, deployment: str) -> None:
        for record in read_records(self._state.engines).values():
            if (
                record is not None
                and record.deployment.name == deployment
                and record.deployment.namespace == namespace
            ):
                process = RunningProcess.of_identity(record.identity)
                if process is not None:
                    process.send(signal.SIGKILL)

    async def _until_back(self, session: aiohttp.ClientSession, model: str, primary: str) -> None:
        deadline = time.monotonic() + _BACK_SECONDS
        while time.monotonic() < deadline:
            answer = await ask(session, self._url, model, _QUIET_QUESTION, lambda piece: None)
            if answer.target == primary and all(map(_is_complete, self._state.objects("ModelDeployment"))):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise PointsmanError(f"{primary} was not back within {_BACK_SECONDS:.0f} s", where="demo")


def next_steps(url: str, folder: Path, model: str, primary: str) -> str:
    """What to try while it is up."""
    shown = os.path.relpath(folder)
    message = '{"role": "user", "content": "hello"}'
    python = [
        "from openai import OpenAI",
        f'client = OpenAI(base_url="{url}", api_key="none")',
        f'answer = client.chat.completions.create(model="{model}", messages=[{message}])',
        "print(answer.choices[0].message.content)",
    ]
    steps = [
        f"curl {url}/chat/completions -H 'content-type: application/json' \\",
        f"""  -d '{{"model": "{model}", "messages": [{message}]}}'""",
        "python - <<'END'        # needs: pip install openai",
        *python,
        "END",
        f"change a weight in {shown}/route.yaml and watch:   pointsman get -w",
        f"why this placement:   pointsman explain modeldeployment/{primary}",
    ]
    # Not indented: a heredoc's lines, its end above all, must begin at the margin to work as printed.
    return "\n Next:\n" + "\n".join(steps) + "\n Ctrl-C ends everything."


def _is_complete(document: dict[str, Any]) -> bool:
    """Whether an object is ready, and a deployment with all its replicas."""
    ready = value_at(document, '.status.conditions[?(@.type=="Ready")].status') == "True"
    wanted = value_at(document, ".spec.replicas")
    return ready and (wanted is None or value_at(document, ".status.readyReplicas") == wanted)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise PointsmanError(otherwise, where="demo")

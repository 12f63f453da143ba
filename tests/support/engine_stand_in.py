"""A stand-in for a GPU engine: vLLM's HTTP API and metrics, with the faults that engines really have.

In a test's own process: `async with EngineStandIn("a") as engine`. As a process that can be killed with -9:
`python -m tests.support.engine_stand_in --port 8001 --name a` (`engine_process` starts it and finds it).
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence

import click
from aiohttp import web

from tests.support.behaviour import Behaviour, behaviour_from_dict, behaviour_from_model_name
from tests.support.engine_metrics import EngineMetrics
from tests.support.openai_answers import Question
from tests.support.stand_in import StandIn


class EngineStandIn(StandIn):
    """A scripted engine: unlike a provider it has `/health`, `/metrics`, `/version`, and asks for no key."""

    def __init__(
        self,
        name: str = "engine",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        default: Behaviour | None = None,
        served_names: Sequence[str] = (),
    ) -> None:
        super().__init__(name, host=host, port=port, default=default, served_names=served_names)
        self.metrics = EngineMetrics(model_name=served_names[0] if served_names else name)
        self.healthy = True
        """False: `/health` answers 503, as vLLM does when its core died. Requests are still answered."""

    async def __aenter__(self) -> EngineStandIn:
        await self.start()
        return self

    def add_routes(self, app: web.Application) -> None:
        async def health(request: web.Request) -> web.Response:
            return web.Response(status=200 if self.healthy else 503)

        async def metrics(request: web.Request) -> web.Response:
            return web.Response(text=self.metrics.text())

        async def version(request: web.Request) -> web.Response:
            return web.json_response({"version": "0.33.0"})

        app.router.add_get("/health", health)
        app.router.add_get("/metrics", metrics)
        app.router.add_get("/version", version)

    def set_gauges(self, gauges: dict[str, float]) -> None:
        """Set `waiting`, `kv_cache_usage` (0 to 1) or `healthy` (1 or 0)."""
        for name, value in gauges.items():
            if name == "waiting":
                self.metrics.waiting = int(value)
            elif name == "kv_cache_usage":
                self.metrics.kv_cache_usage = value
            elif name == "healthy":
                self.healthy = value > 0
            else:
                raise ValueError(f"an engine has no gauge {name!r}")

    def began(self, question: Question) -> None:
        self.metrics.running += 1
        self.metrics.queue.observe(0.0)
        self.metrics.prompt_tokens += question.prompt_tokens

    def sent_token(self, index: int, seconds: float) -> None:
        self.metrics.steps += 1
        if index == 0:
            self.metrics.ttft.observe(seconds)

    def ended(self, question: Question, seconds: float, tokens: int, finished: bool) -> None:
        self.metrics.running -= 1
        self.metrics.generation_tokens += tokens
        self.metrics.e2e.observe(seconds)
        if tokens > 1:
            self.metrics.itl.observe(seconds / tokens)
        if finished:
            self.metrics.succeeded += 1
        else:
            self.metrics.aborted += 1


def _behaviour(text: str) -> Behaviour:
    if text.startswith("{"):
        return behaviour_from_dict(json.loads(text))
    behaviour = behaviour_from_model_name(text, Behaviour())
    if behaviour is None:
        raise click.BadParameter(
            f"{text!r} is neither JSON nor the name of a fault", param_hint="--behaviour"
        )
    return behaviour


async def _serve(engine: EngineStandIn) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with engine:
        click.echo(json.dumps({"name": engine.name, "url": engine.url, "port": engine.port}))
        await stop.wait()


@click.command()
@click.option("--name", default="engine", help="First word of each answer.")
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=int, default=0, help="0: a free one, said in the first line of the output.")
@click.option("--served-name", "served_names", multiple=True, help="Answer to this model only; repeatable.")
@click.option("--behaviour", default="ok", help="JSON, or a fault such as status:status-503.")
def main(name: str, host: str, port: int, served_names: tuple[str, ...], behaviour: str) -> None:
    """Serve as a scripted engine until SIGTERM."""
    default = _behaviour(behaviour)
    asyncio.run(_serve(EngineStandIn(name, host=host, port=port, default=default, served_names=served_names)))


if __name__ == "__main__":
    main()

"""A scripted SGLang: `python -m tests.support.engines.sglang --model-path MODEL --flags…`.

It listens before it is warm and says 503 until then. SIGTERM lets everything finish, without a limit, unless
its health check had failed: then it ends at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from aiohttp import web

from tests.support.engines.adapters import RunningAdapters, loaded
from tests.support.engines.flags import Lifetime, read
from tests.support.engines.pages import sglang_page
from tests.support.engines.reranking import add_rerank_route
from tests.support.engines.script import EngineScript, image_version, version_number
from tests.support.engines.scripted import ScriptedEngine, serve

NEWEST = "0.5.23"

FLAGS = (
    Lifetime("--enable-ep-moe", before="0.5.5"),
    Lifetime("--shutdown-timeout", before="0"),
    Lifetime("--max-model-len", before="0"),
)


class Sglang(ScriptedEngine):
    """`/ready` is cheap and honest; `/health` would run a generation. MODEL:ADAPTER asks for an adapter."""

    adapters = RunningAdapters()

    def answers_as(self, model: str) -> bool:
        base, _, adapter = model.partition(":")
        return super().answers_as(model) or (super().answers_as(base) and adapter in self.adapters.paths)

    def models(self) -> dict[str, Any]:
        listed = super().models()
        return {**listed, "data": [*listed["data"], *self.adapters.rows(self.served_names[0])]}

    def add_engine_routes(self, app: web.Application) -> None:
        async def ready(request: web.Request) -> web.Response:
            return web.Response(status=200 if self.is_ready and not self.is_ending else 503)

        app.router.add_get("/ready", ready)
        add_rerank_route(app, "/v1/rerank", texts="documents", wrapped=True)

    def is_healthy(self) -> bool:
        return self.healthy and self.is_ready and not self.is_ending

    async def begin(self) -> None:
        warmup = self.engine_script.warmup_seconds
        await self.load(warmup)
        await self.start()
        await asyncio.sleep(warmup)
        self.is_ready = True

    async def end(self) -> None:
        if self.healthy:
            await self.until_idle()


def main() -> None:
    script = EngineScript.from_environment()
    version = version_number(script.version) if script.version else image_version(os.environ, NEWEST)
    said = read(sys.argv[1:], "launch_server.py", version, FLAGS)
    model = said.text("--model-path", "--model", default=said.words[0] if said.words else "")
    if not model:
        sys.exit("launch_server.py: error: the following arguments are required: --model-path")
    with_metrics = "--enable-metrics" in said.values
    adapters = loaded(said.texts("--lora-paths"), is_enabled="--enable-lora" in said.values)
    engine = Sglang(
        script,
        host=said.text("--host", default="127.0.0.1"),
        port=int(said.text("--port", default="30000")),
        served_names=[said.text("--served-model-name", default=model)],
        version=version,
        page=lambda engine: (
            sglang_page(engine.metrics, version, script.missing_metrics) if with_metrics else ""
        ),
    )
    engine.adapters = RunningAdapters(adapters)
    asyncio.run(serve(engine))


if __name__ == "__main__":
    main()

"""A scripted Triton with its OpenAI front end: `python -m tests.support.engines.triton --model-repository D`.

The models that it serves are the folders of its repository. SIGTERM lets everything finish.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web

from tests.support.engines.flags import read
from tests.support.engines.pages import triton_page
from tests.support.engines.script import EngineScript, image_version, version_number
from tests.support.engines.scripted import ScriptedEngine, serve

NEWEST = "26.07"


class Triton(ScriptedEngine):
    """Ready once its models are loaded, all of them before it listens."""

    def add_engine_routes(self, app: web.Application) -> None:
        async def ready(request: web.Request) -> web.Response:
            return web.Response(status=200 if self.is_healthy() else 400)

        app.router.add_get("/health/ready", ready)

    async def end(self) -> None:
        await self.until_idle()


def main() -> None:
    script = EngineScript.from_environment()
    version = version_number(script.version) if script.version else image_version(os.environ, NEWEST)
    said = read(sys.argv[1:], "main.py", version, ())
    repository = Path(said.text("--model-repository"))
    models = sorted(entry.name for entry in repository.iterdir() if (entry / "config.pbtxt").exists())
    if not models:
        sys.exit(f"error: failed to load any model of {repository}")
    engine = Triton(
        script,
        host=said.text("--host", default="0.0.0.0"),
        port=int(said.text("--openai-port", default="9000")),
        served_names=models,
        version=version,
        page=lambda engine: triton_page(engine.metrics, script.missing_metrics),
    )
    asyncio.run(serve(engine))


if __name__ == "__main__":
    main()

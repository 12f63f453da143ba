"""A scripted Text Embeddings Inference: `python -m tests.support.engines.tei --model-id MODEL --flags…`.

Its port opens after the warm-up. SIGTERM lets everything finish.
"""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import web

from tests.support.engines.flags import read
from tests.support.engines.pages import tei_page
from tests.support.engines.reranking import add_rerank_route
from tests.support.engines.script import EngineScript, image_version, version_number
from tests.support.engines.scripted import ScriptedEngine, serve

NEWEST = "1.9.3"


class Tei(ScriptedEngine):
    """Embeds, and ranks on `/rerank` in words of its own."""

    def add_engine_routes(self, app: web.Application) -> None:
        add_rerank_route(app, "/rerank", texts="texts", wrapped=False)

    async def end(self) -> None:
        await self.until_idle()


def main() -> None:
    script = EngineScript.from_environment()
    version = version_number(script.version) if script.version else image_version(os.environ, NEWEST)
    said = read(sys.argv[1:], "text-embeddings-router", version, ())
    model = said.text("--model-id", default=os.environ.get("MODEL_ID", "BAAI/bge-large-en-v1.5"))
    engine = Tei(
        script,
        host=said.text("--hostname", default=os.environ.get("PROCESS_NODE_POD_IP", "0.0.0.0")),
        port=int(said.text("--port", "-p", default=os.environ.get("PORT", "80"))),
        served_names=[said.text("--served-model-name", default=model)],
        version=version,
        page=lambda engine: tei_page(engine.metrics, script.missing_metrics),
    )
    asyncio.run(serve(engine))


if __name__ == "__main__":
    main()

"""A scripted vLLM: `python -m tests.support.engines.vllm MODEL --flags…`, as its image is started.

Its port refuses connections until it can serve. SIGTERM cuts what runs, unless `--shutdown-timeout` gives it
time; meanwhile it still listens, says that it is well, and answers late requests with an aborted answer. A
real one (0.32, 0.33) does so of prompts that came as tokens; text gets 500 or no answer, which a gateway can
see: this is the worse of the two.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from aiohttp import web

from tests.support.engines.adapters import RunningAdapters, loaded
from tests.support.engines.flags import Lifetime, read
from tests.support.engines.pages import vllm_page
from tests.support.engines.reranking import add_rerank_route
from tests.support.engines.script import EngineScript, image_version, version_number
from tests.support.engines.scripted import ScriptedEngine, serve
from tests.support.openai_answers import Question, plain_answer
from tests.support.seen_requests import SeenRequest

NEWEST = "0.33.0"

# vllm/engine/arg_utils.py and entrypoints/openai/cli_args.py of the wheels 0.8.5 to 0.33.0.
FLAGS = (
    Lifetime("--device", before="0.10"),
    Lifetime("--enable-reasoning", before="0.10"),
    Lifetime("--task", before="0.13"),
    Lifetime("--runner", since="0.10.2"),
    Lifetime("--convert", since="0.10.2"),
    Lifetime("--disable-log-requests", before="0.17"),
    Lifetime("--swap-space", before="0.18"),
    Lifetime("--shutdown-timeout", since="0.18"),
    Lifetime("--nnodes", since="0.11.2"),
    Lifetime("--node-rank", since="0.11.2"),
    Lifetime("--master-addr", since="0.11.2"),
    Lifetime("--master-port", since="0.11.2"),
    Lifetime("--max-num-queued-reqs", since="0.29"),
    Lifetime("--enable-metrics", before="0"),
)


class Vllm(ScriptedEngine):
    """`shutdown_seconds` is what --shutdown-timeout says; 0 aborts."""

    shutdown_seconds: float = 0.0
    adapters = RunningAdapters()
    takes_adapters = False
    """Whether VLLM_ALLOW_RUNTIME_LORA_UPDATING is set."""

    def add_engine_routes(self, app: web.Application) -> None:
        if self.takes_adapters:
            self.adapters.add_routes(app)
        for path in ("/v1/rerank", "/rerank"):
            add_rerank_route(app, path, texts="documents", wrapped=True)

    def refuse(self, seen: SeenRequest) -> web.Response | None:
        if not self.is_ending or seen.method != "POST":
            return None
        question = Question(path=seen.path, model=seen.model, prompt_tokens=1)
        answer = plain_answer(question, "", 0)
        for choice in answer.get("choices", ()):
            choice["finish_reason"] = "abort"
        return web.json_response(answer)

    def answers_as(self, model: str) -> bool:
        return super().answers_as(model) or model in self.adapters.paths

    def models(self) -> dict[str, Any]:
        listed = super().models()
        return {**listed, "data": [*listed["data"], *self.adapters.rows(self.served_names[0])]}

    async def end(self) -> None:
        try:
            async with asyncio.timeout(self.shutdown_seconds):
                await self.until_idle()
        except TimeoutError:
            print(f"aborting {self.log.in_flight} requests", flush=True)


def main() -> None:
    script = EngineScript.from_environment()
    version = version_number(script.version) if script.version else image_version(os.environ, NEWEST)
    said = read(sys.argv[1:], "vllm serve", version, FLAGS)
    model = said.text("--model", default=said.words[0] if said.words else "")
    if not model:
        sys.exit("vllm serve: error: a model is required")
    if not os.environ.get("VLLM_PORT", "0").isdigit():
        # What a Service of the name "vllm" does to pods with service links (vllm-project/vllm#34199).
        sys.exit(f"ValueError: VLLM_PORT '{os.environ['VLLM_PORT']}' appears to be a URI")
    if "--headless" in said.values:
        asyncio.run(asyncio.Event().wait())  # only the first of a group of nodes serves
    rank = int(said.text("--max-lora-rank", default="16"))
    adapters = loaded(
        said.texts("--lora-modules"), is_enabled="--enable-lora" in said.values, highest_rank=rank
    )
    engine = Vllm(
        script,
        host=said.text("--host", default=os.environ.get("PROCESS_NODE_POD_IP", "0.0.0.0")),
        port=int(said.text("--port", default="8000")),
        served_names=said.texts("--served-model-name") or [model],
        version=version,
        page=lambda engine: vllm_page(engine.metrics, version, script.missing_metrics),
    )
    engine.adapters = RunningAdapters(adapters, rank, served_names=engine.served_names)
    engine.takes_adapters = os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "").lower() in ("1", "true")
    engine.shutdown_seconds = float(said.text("--shutdown-timeout", default="0"))
    asyncio.run(serve(engine))


if __name__ == "__main__":
    main()

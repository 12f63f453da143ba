"""What is embedded may be as long as the context that a model was promised, in pods and in local mode."""

from pathlib import Path

import aiohttp

from pointsman.api import FleetSettings
from pointsman.catalog import shipped_catalog
from pointsman.local.llamacpp import parameters_of
from pointsman.placement import Inventory, NotPlaced, place
from pointsman.workloads import Images, freeze
from tests.support.builders import deployment
from tests.support.packaged_weights import gemma_file
from tests.support.ports import free_port
from tests.support.processes import StartedProcess, python_module, wait_until_url_answers

CONTEXT = 1024
LONG = "word " * 900
_STARTS_SECONDS = 60.0


def pod_arguments() -> list[str]:
    """What the engine of an embedding model is told in a pod."""
    own = deployment(
        "embedder",
        engine="llama.cpp",
        source="oci://models.example.com/gemma:1#m.gguf",
        tasks=("embedding",),
        spec={
            "model": {
                "contextLength": CONTEXT,
                "quantization": "gguf",
                "facts": {"parameters": "270M", "layers": 18, "kvHeads": 1, "headDim": 256},
            },
            # A model that was made for it says this itself.
            "engine": {"maxConcurrency": 1, "args": ["--pooling", "mean"]},
        },
    )
    placed = place(own, FleetSettings(), shipped_catalog(), Inventory())
    assert not isinstance(placed, NotPlaced)
    (found,) = freeze(own, placed, shipped_catalog(), Images("agent:1")).pools
    (engine,) = found.template["spec"]["containers"]
    return list(engine["args"])


async def test_in_a_pod(tmp_path: Path) -> None:
    said = pod_arguments()
    port = free_port()
    for flag, value in (("-m", str(gemma_file(tmp_path))), ("--host", "127.0.0.1"), ("--port", str(port))):
        said[said.index(flag) + 1] = value
    url = f"http://127.0.0.1:{port}"
    with StartedProcess(python_module("tests.support.engines.llama_server", *said)) as engine:
        await wait_until_url_answers(f"{url}/health", _STARTS_SECONDS, process=engine)
        body = {"model": "embedder", "input": LONG}
        async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/embeddings", json=body) as got:
            answer = await got.json()
    assert got.status == 200, answer
    assert answer["usage"]["prompt_tokens"] > 512


def test_in_local_mode() -> None:
    spec = {
        "weights": "m.gguf",
        "served_names": ["embedder"],
        "tasks": ["embedding"],
        "context_length": CONTEXT,
        "concurrency": 2,
        "chat_template": "",
        "threads": 1,
        "parameters": {},
    }
    assert parameters_of(spec).n_ubatch == CONTEXT
    assert parameters_of({**spec, "tasks": ["chat"]}).n_ubatch == 512
    assert parameters_of({**spec, "parameters": {"n_ubatch": 2048}}).n_ubatch == 2048

"""What fetches weights goes through the proxy that pods are told of, whatever the source."""

import json
from pathlib import Path

import pytest

from pointsman.api import EgressProxy
from pointsman.workloads.surroundings import proxy_variables
from tests.support.forward_proxy import ForwardProxy
from tests.support.weights_program import run

_KEYS = {"access_key_id": "a", "secret_access_key": "b", "region": "eu-central-1"}
SOURCES = {
    "the hub": ("hf://acme/one", "", "huggingface.co:443"),
    "a bucket": ("s3://models/qwen", json.dumps(_KEYS), "s3.eu-central-1.amazonaws.com:443"),
    "a server": ("https://models.example.com/m.gguf", "", "models.example.com:443"),
}


def told(proxy: ForwardProxy, *no_proxy: str) -> dict[str, str]:
    """The variables of a pod."""
    return dict(proxy_variables(EgressProxy(url=proxy.url, cidrs=("127.0.0.1/32",), no_proxy=no_proxy)))


@pytest.mark.parametrize(("source", "credential", "want"), SOURCES.values(), ids=SOURCES)
async def test_it_asks_the_proxy(source: str, credential: str, want: str, into: Path) -> None:
    async with ForwardProxy() as proxy:
        item = {"source": source, "into": str(into), "file": "m.gguf" if "m.gguf" in source else ""}
        ended = await run(item, credential=credential, **told(proxy))
    assert ended.code != 0
    assert proxy.asked == {want}


async def test_what_is_to_be_reached_without_it_is(into: Path) -> None:
    async with ForwardProxy() as proxy:
        item = {"source": "https://models.invalid/m.gguf", "into": str(into), "file": "m.gguf"}
        ended = await run(item, **told(proxy, ".invalid"))
    assert ended.code != 0
    assert proxy.asked == set()

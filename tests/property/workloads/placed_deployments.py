"""Any deployment of our own that validates, and any placement it may have been given."""

from typing import Any

from hypothesis import strategies as st

from pointsman.api import ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.catalog import shipped_catalog
from pointsman.placement.result import DEFAULT_POOL, Placement, Pool
from tests.support.builders import deployment
from tests.support.placement_results import placed, pool

LABEL = r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?"
# Whatever the API takes for a name: at most 63 characters, with dots, and with a digit at the beginning.
names = st.one_of(
    st.from_regex(rf"{LABEL}(\.{LABEL}){{0,2}}", fullmatch=True).filter(lambda name: len(name) <= 63),
    st.from_regex(r"[a-z0-9][a-z0-9.-]{61}[a-z0-9]", fullmatch=True).filter(
        lambda name: not {"..", ".-", "-."} & {name[i : i + 2] for i in range(62)}
    ),
)
pool_names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", fullmatch=True)

SOURCES = (
    "hf://Qwen/Qwen3-32B",
    "hf://Qwen/Qwen3-8B-GGUF/q4/model.gguf",
    "s3://models/a",
    "gs://models/a",
    "az://models/a",
    "https://example.com/a.gguf",
    "oci://example.com/a:1#a.gguf",
    "pvc://claim/a.gguf",
)
ENGINES = ("vllm", "sglang", "llama.cpp", "tei", "triton", "custom")
ACCELERATORS = ("", *shipped_catalog().accelerators)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """What a spec may say beside its source, in YAML names."""
    engine = draw(st.sampled_from(ENGINES))
    model: dict[str, Any] = {"source": draw(st.sampled_from(SOURCES))}
    if draw(st.booleans()):
        model["revision"] = draw(st.sampled_from(["1", "main", "9216db57"]))
    if draw(st.booleans()):
        model["servedNames"] = draw(st.lists(st.sampled_from(["a", "b/c", "d:e"]), min_size=1, unique=True))
    if draw(st.booleans()):
        model["adapters"] = [{"name": "x", "source": draw(st.sampled_from(SOURCES))}]
    stated: dict[str, Any] = {"name": engine}
    if engine == "custom":
        stated["image"] = f"example.com/e@sha256:{'0' * 64}"
    if draw(st.booleans()):
        stated["chatTemplate"] = draw(st.text(min_size=1, max_size=40))
    if draw(st.booleans()):
        stated["args"] = draw(st.lists(st.text(min_size=1, max_size=20), max_size=4))
    if draw(st.booleans()):
        stated["env"] = [{"name": "X", "value": draw(st.text(max_size=20))}]
    tasks = draw(st.sampled_from([["chat"], ["chat", "completion"], ["embedding"], ["rerank"], ["image"]]))
    spec: dict[str, Any] = {"model": model, "engine": stated, "tasks": tasks}
    if draw(st.booleans()):
        spec["template"] = {"labels": {draw(st.sampled_from(["team", "kueue.x-k8s.io/queue-name"])): "a"}}
    return spec


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    """One pool without a name of its own, or several; over one node or more."""
    nodes = draw(st.sampled_from([1, 1, 1, 2, 4]))
    given = draw(st.lists(pool_names, max_size=3, unique=True)) or [DEFAULT_POOL]
    accelerators = [name for name in ACCELERATORS if name or nodes == 1]
    pools: list[Pool] = []
    for name in given:
        accelerator = draw(st.sampled_from(accelerators))
        devices = draw(st.sampled_from([1, 2, 8])) * nodes
        capacity = draw(st.sampled_from(Capacity))
        pools.append(
            pool(
                name,
                accelerator,
                devices=devices,
                capacity=capacity,
                max_concurrency=draw(st.integers(0, 256)),
            )
        )
    return placed(
        *pools,
        nodes=nodes,
        quantization=draw(st.sampled_from(["", "none", "fp8", "gguf"])),
        half_precision=draw(st.booleans()),
        context_length=draw(st.sampled_from([0, 4096, 131072])),
        weights_bytes=draw(st.integers(0, 2**40)),
        memory_bytes=draw(st.integers(0, 2**36)),
    )


def made(name: str, spec: dict[str, Any]) -> ModelDeployment:
    return deployment(name, source=spec["model"]["source"], metadata={"uid": "u-1"}, spec=spec)

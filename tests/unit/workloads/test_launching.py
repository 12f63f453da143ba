"""Each engine is started with the words of its version, always with host and port, and no others."""

import json
from typing import Any

import pytest

from pointsman.api import EngineName, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.errors import PointsmanError
from pointsman.placement.coefficients import coefficients_of
from pointsman.placement.memory import ADAPTER_RANK, MOST_LOADED_ADAPTERS
from pointsman.placement.result import Placement
from pointsman.workloads import Images, freeze
from pointsman.workloads.engine import MOST_ADAPTERS
from tests.support.builders import deployment
from tests.support.placement_results import placed, pool

IMAGES = Images("registry.example.com/pointsman:1")
CPU = pool(accelerator="", devices=0, tensor=1, max_concurrency=4)


def frozen_engine(
    own: ModelDeployment, placement: Placement | None = None, *, worker: bool = False
) -> dict[str, Any]:
    """The engine's container."""
    (found,) = freeze(own, placement or placed(), shipped_catalog(), IMAGES).pools
    template = found.worker_template if worker else found.template
    assert template is not None
    (container,) = template["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def made(engine: str, /, *, tasks: tuple[str, ...] = (), **spec: Any) -> ModelDeployment:
    return deployment("m", engine=engine, tasks=tasks, spec=spec)


def words(container: dict[str, Any]) -> str:
    return " ".join(container["args"])


VERSIONS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "before 0.13 the model has its flag": ("vllm", "0.12.0", ("--model /weights",), ("--runner",)),
    "from 0.13 on it comes first": ("vllm", "0.13.0", ("/weights/store",), ("--model ",)),
    "before 0.18 nothing is drained": ("vllm", "0.17.1", (), ("--shutdown-timeout",)),
    "from 0.18 on the drain has a limit": ("vllm", "0.18.1", ("--shutdown-timeout 600",), ()),
    "before 0.10.2 requests would be logged": ("vllm", "0.10.0", ("--disable-log-requests",), ()),
    "from 0.10.2 on they are not": ("vllm", "0.10.2", (), ("--disable-log-requests",)),
    "sglang tells its metrics": ("sglang", "0.5.5", ("--enable-metrics", "--context-length 32768"), ()),
}


@pytest.mark.parametrize(("engine", "version", "said", "unsaid"), VERSIONS.values(), ids=VERSIONS.keys())
def test_words_are_those_of_the_version(
    engine: str, version: str, said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    container = frozen_engine(made(engine, engine={"version": version}))
    assert all(part in words(container) for part in said), words(container)
    assert not any(part in words(container) for part in unsaid), words(container)
    assert container["image"].endswith(f":v{version}")


@pytest.mark.parametrize("version", ["0.9.2", "v0.9.2"])
def test_a_version_may_be_written_with_its_v(version: str) -> None:
    assert frozen_engine(made("vllm", engine={"version": version}))["image"] == "vllm/vllm-openai:v0.9.2"


POOLING = {
    "an embedding model before 0.10.2": ("embedding", "0.10.0", "--task embed"),
    "a reranker before 0.10.2": ("rerank", "0.10.0", "--task score"),
    "an embedding model since": ("embedding", "0.33.0", "--runner pooling"),
    "a reranker since": ("rerank", "0.33.0", "--runner pooling"),
}


@pytest.mark.parametrize(("task", "version", "want"), POOLING.values(), ids=POOLING.keys())
def test_models_that_write_nothing_are_started_for_it(task: str, version: str, want: str) -> None:
    assert want in words(frozen_engine(made("vllm", tasks=(task,), engine={"version": version})))


def test_a_model_that_writes_and_embeds_is_started_to_write() -> None:
    assert "pooling" not in words(frozen_engine(made("vllm", tasks=("chat", "embedding"))))


def test_images_have_an_engine_image_and_a_version_of_their_own() -> None:
    container = frozen_engine(made("vllm", tasks=("image",)))
    assert container["image"] == "vllm/vllm-omni:v0.30.0"
    assert container["command"] == ["vllm", "serve"]
    assert "--omni" in container["args"]
    assert "--max-model-len" not in container["args"]


LISTENING = {
    "vllm": "--host 0.0.0.0 --port 8000",
    "sglang": "--host 0.0.0.0 --port 8000",
    "llama.cpp": "--host 0.0.0.0 --port 8000",
    "tei": "--hostname 0.0.0.0 --port 8000",
    "triton": "--host 0.0.0.0 --openai-port 8000",
}


@pytest.mark.parametrize(("engine", "want"), LISTENING.items())
def test_every_engine_is_told_where_to_listen(engine: str, want: str) -> None:
    tasks = ("embedding",) if engine == "tei" else ()
    assert want in words(frozen_engine(made(engine, tasks=tasks)))


def test_llama_cpp_is_promised_its_context_for_each_request() -> None:
    container = frozen_engine(
        made("llama.cpp", model={"source": "hf://me/m/m.gguf"}), placed(CPU, context_length=4096)
    )
    assert "-c 16384 -np 4" in words(container)
    assert "-ngl" not in container["args"]


QUANTIZATIONS = {
    "16-bit weights that become fp8": ("hf://Qwen/Qwen3-32B", "fp8", True),
    "weights that are fp8 already, as their name says": ("hf://Qwen/Qwen3-32B-FP8", "fp8", False),
    "a model that is published in fp8": ("hf://deepseek-ai/DeepSeek-R1-0528", "fp8", False),
    "awq, which is read from the files": ("hf://Qwen/Qwen3-8B-AWQ", "awq", False),
    "nothing": ("hf://Qwen/Qwen3-32B", "none", False),
}


@pytest.mark.parametrize(("source", "quantization", "want"), QUANTIZATIONS.values(), ids=QUANTIZATIONS.keys())
def test_only_what_the_engine_shall_do_itself_is_said(source: str, quantization: str, want: bool) -> None:
    container = frozen_engine(made("vllm", model={"source": source}), placed(quantization=quantization))
    assert ("--quantization" in container["args"]) is want


# What placement takes for usable, and the words by which an engine is told: each takes the share its own way.
SHARES = {
    "vllm, also where its own default is another": ("vllm", "0.33.0", "--gpu-memory-utilization"),
    "vllm of the first version that is known": ("vllm", "0.8.5", "--gpu-memory-utilization"),
    "sglang, whose own guess follows the device": ("sglang", "0.5.23", "--mem-fraction-static"),
    "sglang of the first version that is known": ("sglang", "0.4.10", "--mem-fraction-static"),
}


@pytest.mark.parametrize(("engine", "version", "flag"), SHARES.values(), ids=SHARES.keys())
def test_an_engine_is_told_the_share_of_memory_that_placement_counted_on(
    engine: str, version: str, flag: str
) -> None:
    counted = coefficients_of(EngineName(engine)).memory.usable
    told = frozen_engine(made(engine, engine={"version": version}))["args"]
    assert float(told[told.index(flag) + 1]) == counted


def test_triton_is_told_the_share_in_its_file() -> None:
    own = made("triton", model={"servedNames": ["m"]})
    files = freeze(own, placed(), shipped_catalog(), IMAGES).files
    counted = coefficients_of(EngineName.TRITON).memory.usable
    assert json.loads(files["model.json"])["gpu_memory_utilization"] == counted


def test_vllm_is_told_the_rank_and_the_number_of_adapters_that_placement_counted_on() -> None:
    adapters = [{"name": f"a{number}", "source": f"s3://adapters/{number}"} for number in range(12)]
    told = words(frozen_engine(made("vllm", model={"adapters": adapters})))
    assert f"--max-lora-rank {ADAPTER_RANK}" in told
    assert f"--max-loras {MOST_LOADED_ADAPTERS} --max-cpu-loras {MOST_ADAPTERS} " in told
    told = words(frozen_engine(made("vllm", engine={"version": "0.30.0"}, model={"adapters": adapters})))
    assert f"--max-loras {MOST_LOADED_ADAPTERS} --max-cpu-loras 12 " in told


@pytest.mark.parametrize("engine", ["sglang", "vllm"])
def test_on_a_cpu_no_share_is_told(engine: str) -> None:
    told = words(frozen_engine(made(engine), placed(CPU)))
    assert "--mem-fraction-static" not in told
    assert "--gpu-memory-utilization" not in told


def test_arguments_of_the_user_come_last_and_count() -> None:
    container = frozen_engine(made("vllm", engine={"args": ["--max-num-batched-tokens=8192"]}))
    assert container["args"][-1] == "--max-num-batched-tokens=8192"


def test_a_variable_of_the_user_counts_over_ours() -> None:
    stated = [{"name": "DO_NOT_TRACK", "value": "0"}, {"name": "X", "value": ""}]
    found = {one["name"]: one for one in frozen_engine(made("vllm", engine={"env": stated}))["env"]}
    assert found["DO_NOT_TRACK"]["value"] == "0"
    assert found["X"] == {"name": "X"}


def test_a_device_without_bf16_is_computed_in_half_precision() -> None:
    container = frozen_engine(made("vllm"), placed(pool(accelerator="T4"), half_precision=True))
    assert "--dtype half" in words(container)


def test_each_pool_uses_all_of_its_devices() -> None:
    """Groups of one size, and as many of them in a row as the pool has devices for."""
    pair, four = pool("a", devices=2, tensor=2), pool("b", devices=4, tensor=2)
    found = freeze(made("vllm"), placed(pair, four), shipped_catalog(), IMAGES)
    said = [
        words(container)
        for each in found.pools
        for container in each.template["spec"]["containers"]
        if container["name"] == "engine"
    ]
    assert [text.partition("--pipeline-parallel-size ")[2][:1] for text in said] == ["1", "2"]


def test_the_ranks_of_a_group_are_told_by_its_controller() -> None:
    own = made("vllm", hardware={"nodes": 2})
    placement = placed(pool(devices=16, tensor=8), pipeline=2, nodes=2)
    leader, worker = frozen_engine(own, placement), frozen_engine(own, placement, worker=True)
    ranks = "--nnodes 2 --node-rank $(LWS_WORKER_INDEX) --master-addr $(LWS_LEADER_ADDRESS)"
    assert ranks in words(leader)
    assert "--headless" not in leader["args"]
    assert worker["args"][-1] == "--headless"
    assert leader["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    names = [variable["name"] for variable in leader["env"]]
    assert names.index("POD_IP") < names.index("VLLM_HOST_IP"), "what refers to it must come after it"


def test_a_worker_answers_nobody() -> None:
    own = made("vllm", hardware={"nodes": 2})
    worker = frozen_engine(own, placed(pool(devices=16, tensor=8), pipeline=2, nodes=2), worker=True)
    assert not {"ports", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle"} & set(worker)


@pytest.mark.parametrize(
    ("accelerator", "want"),
    [
        ("H100-SXM", "vllm/vllm-openai:v0.33.0"),
        ("MI300X", "vllm/vllm-openai-rocm:v0.33.0"),
        ("", "public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.33.0"),
    ],
)
def test_the_image_is_built_for_the_device(accelerator: str, want: str) -> None:
    assert frozen_engine(made("vllm"), placed(pool(accelerator=accelerator)))["image"] == want


@pytest.mark.parametrize(
    ("version", "accelerator", "want"),
    [
        ("1.8", "T4", "turing-1.8"),
        ("1.8", "L4", "89-1.8"),
        ("1.8", "A100-80-SXM", "1.8"),
        ("1.9", "L4", "cuda-1.9"),
    ],
)
def test_an_image_is_built_for_the_compute_capability(version: str, accelerator: str, want: str) -> None:
    own = made("tei", tasks=("embedding",), engine={"version": version})
    image = frozen_engine(own, placed(pool(accelerator=accelerator)))["image"]
    assert image == f"ghcr.io/huggingface/text-embeddings-inference:{want}"


def test_an_image_of_the_users_is_told_what_the_newest_is_told() -> None:
    image = f"example.com/vllm@sha256:{'0' * 64}"
    rendering = freeze(made("vllm", engine={"image": image}), placed(), shipped_catalog(), IMAGES)
    (agent,) = [
        one for one in rendering.pools[0].template["spec"]["initContainers"] if one["name"] == "agent"
    ]
    assert (rendering.image, rendering.version) == (image, "")
    assert "--shutdown-timeout" in rendering.pools[0].template["spec"]["containers"][0]["args"]
    assert "--engine-version" not in agent["args"]


def test_an_image_that_was_looked_up_is_pinned() -> None:
    images = Images("agent:1", {"vllm/vllm-openai:v0.33.0": "vllm/vllm-openai@sha256:00"})
    rendering = freeze(made("vllm"), placed(), shipped_catalog(), images)
    assert rendering.image == "vllm/vllm-openai@sha256:00"


def test_a_device_without_an_image_is_said_in_one_line() -> None:
    with pytest.raises(PointsmanError) as refused:
        frozen_engine(made("sglang"), placed(pool(accelerator="MI300X")))
    assert str(refused.value) == (
        "spec.engine.name: sglang 0.5.23 has no image for amd; "
        "state engine.image, or allow other accelerators"
    )


def test_a_start_may_take_longer_with_more_to_load() -> None:
    small, large = (frozen_engine(made("vllm"), placed(weights_bytes=size * 2**30)) for size in (1, 100))
    assert small["startupProbe"]["failureThreshold"] < large["startupProbe"]["failureThreshold"]
    patience = {one["name"]: one.get("value") for one in large["env"]}["VLLM_ENGINE_READY_TIMEOUT_S"]
    probe = large["startupProbe"]
    assert int(patience or 0) <= probe["failureThreshold"] * probe["periodSeconds"]

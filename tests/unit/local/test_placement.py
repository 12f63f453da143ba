"""Whether this machine's memory can hold a model."""

from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.local.engines.spec import EngineSpec, cores_for_replica
from pointsman.local.machine import available_memory_bytes, usable_cores
from pointsman.local.placement import BUFFERS_BYTES, fits, gigabytes, memory_need, room_for, too_big
from pointsman.local.weights.gguf import ModelFacts

GIGABYTE = 10**9
SPEC = EngineSpec(
    weights=str(Path("/m.gguf")),
    weights_bytes=4 * GIGABYTE,
    weights_stamp=0,
    served_names=("m",),
    tasks=("chat",),
    context_length=8192,
    concurrency=4,
    chat_template="",
    parameters={},
)
# Llama 3.1 8B: 32 layers, 8 key-value heads of 128, in 16 bit: 128 KiB a token.
FACTS = ModelFacts("llama", 131072, 32, 128 * 1024)


def test_the_need_is_weights_once_and_cache_for_every_request_of_every_replica() -> None:
    need = memory_need(SPEC, FACTS)
    assert need.cache == 4 * 8192 * 128 * 1024
    assert need.total(3) == need.weights + 3 * (need.cache + BUFFERS_BYTES)


@pytest.mark.parametrize(
    ("available", "running", "want"),
    [
        (3 * GIGABYTE, 0, 0),
        (9 * GIGABYTE, 0, 1),
        (14 * GIGABYTE, 0, 2),
        (9 * GIGABYTE, 1, 1),
        (10 * GIGABYTE, 1, 2),
    ],
)
def test_how_many_more_fit(available: int, running: int, want: int) -> None:
    assert room_for(memory_need(SPEC, FACTS), available, running) == want


def test_too_big_says_what_would_fit() -> None:
    need = memory_need(SPEC, FACTS)
    told = too_big(SPEC, FACTS, need, 6 * GIGABYTE)
    assert "lower spec.engine.maxConcurrency to 1" in told
    assert "lower spec.model.contextLength to 3072" in told
    shorter = replace(SPEC, context_length=3072)
    assert room_for(memory_need(shorter, FACTS), 6 * GIGABYTE, 0) == 1
    fewer = replace(SPEC, concurrency=1)
    assert room_for(memory_need(fewer, FACTS), 6 * GIGABYTE, 0) == 1
    assert "a smaller model" in too_big(SPEC, FACTS, need, 2 * GIGABYTE)


def test_no_context_is_advised_that_the_model_was_not_made_for() -> None:
    long = replace(SPEC, context_length=90_000_000)
    told = too_big(long, FACTS, memory_need(long, FACTS), 10_000 * GIGABYTE)
    assert f"lower spec.model.contextLength to {FACTS.context_length}, or" in told


def test_the_choice_in_words() -> None:
    assert fits(SPEC, memory_need(SPEC, FACTS)) == (
        "this machine's CPU: 4.0 GB of weights, shared by all replicas, and for each replica 4.3 GB of "
        "cache for 4 requests of 8192 tokens and 315 MB of buffers"
    )


def test_bytes_as_people_say_them() -> None:
    assert [gigabytes(253_113_024), gigabytes(4_900_000_000)] == ["253 MB", "4.9 GB"]


@pytest.mark.parametrize(
    ("cores", "replicas", "want"),
    [(2, 1, 1), (2, 3, 1), (8, 1, 7), (8, 2, 3), (16, 3, 5), (1, 1, 1), (4, 0, 3)],
)
def test_cores_are_shared_and_one_is_left(cores: int, replicas: int, want: int) -> None:
    assert cores_for_replica(cores, replicas) == want


def test_this_machine_has_something() -> None:
    assert usable_cores() >= 1
    assert available_memory_bytes() > 0

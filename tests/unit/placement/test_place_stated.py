"""What a deployment says of its hardware itself is kept, checked and priced."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.api.hardware import Capacity
from tests.support.placements import (
    DEEPSEEK,
    fleet_with,
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


WIDE = "hf://Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8"


@pytest.mark.parametrize("arguments", [["--enable-expert-parallel"], ["--enable_expert_parallel"]])
def test_experts_that_are_shared_out_whole_are_not_cut_into_blocks(arguments: list[str]) -> None:
    """2,560 columns are cut into 320 by eight, which blocks of 128 do not divide; 160 experts are 20 each."""
    without = own(WIDE, model={"contextLength": 65536})
    todo = refused(without, fleet_with("H200-SXM")).todo
    assert "add --enable-expert-parallel to spec.engine.args" in todo
    found = placed(
        own(WIDE, model={"contextLength": 65536}, engine_overlay={"args": arguments}), fleet_with("H200-SXM")
    )
    assert (found.accelerator, found.tensor) == ("H200-SXM", 8)


OWN_IMAGE = {"name": "custom", "image": "registry.example/engine@sha256:" + "a" * 64}


def _own_engine(count: str, **hardware: Any) -> ModelDeployment:
    return own(
        "hf://me/mine",
        engine="custom",
        engine_overlay=OWN_IMAGE,
        template={"resources": {"limits": {"nvidia.com/gpu": count}}},
        hardware=hardware,
    )


def test_devices_of_an_own_engine_are_all_of_its_pod() -> None:
    found = placed(_own_engine("4", parallelism={"tensor": 2}), fleet_with("H100-SXM"))
    assert (found.tensor, found.pipeline, found.accelerators_per_replica) == (2, 2, 4)
    assert found.price_per_hour == Decimal("27.52")


def test_devices_of_an_own_engine_are_not_two_numbers() -> None:
    found = refused(_own_engine("4", parallelism={"tensor": 3}), fleet_with("H100-SXM"))
    assert found.field == "spec.hardware.parallelism"
    assert found.message.startswith("spec.template.resources ask for 4 × nvidia.com/gpu a replica")


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


def test_a_pool_of_an_accelerator_that_nobody_knows_asks_for_its_facts() -> None:
    pools = [{"name": "p", "maxReplicas": 1, "accelerator": "X9", "acceleratorsPerReplica": 2}]
    found = refused(own(model=FP8, hardware={"pools": pools}), fleet_with("X9"))
    assert found.message == "pool p names X9, of which nothing is known"
    assert found.todo == "name one of the catalogue, or state its facts in the fleet settings"

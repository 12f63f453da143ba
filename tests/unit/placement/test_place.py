"""Where deployments are placed, by what they ask and what there is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.api.hardware import Hardware
from pointsman.catalog import shipped_catalog
from pointsman.placement import FreeDevices, Inventory, InventoryEntry, Traffic
from pointsman.placement.devices import price_of
from tests.support.builders import fleet
from tests.support.placements import (
    EVERYTHING,
    LLAMA_70B,
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


def test_latency_does_not_buy_a_difference_that_is_none() -> None:
    """Twice the devices for a few percent, which are less than an estimate knows."""
    small = own("hf://google/gemma-3-4b-it", model={"contextLength": 8192}, hardware={"objective": "latency"})
    found = placed(small, fleet_with("H200-SXM"))
    assert found.accelerators_per_replica < 8
    fastest = min(float(each.reason.split(" ms")[0]) for each in found.alternatives)
    own_time = float(found.reason.partition("(defaults), ")[2].split(" ms")[0])
    assert fastest <= own_time <= 1.1 * fastest
    embedder = own("hf://BAAI/bge-m3", tasks=["embedding"], model={}, hardware={"objective": "latency"})
    assert placed(embedder, fleet_with("H200-SXM")).accelerators_per_replica < 8


def test_a_small_model_is_not_spread_over_a_bus() -> None:
    """Eight devices that share the way through the host are no group for 14 GB of weights."""
    found = placed(own("hf://openai/gpt-oss-20b", model={"contextLength": 32768}), fleet_with("L4"))
    assert found.accelerators_per_replica <= 2


def test_memory_that_misses_by_little_is_said_with_the_digits_that_show_it() -> None:
    short = refused(
        own("hf://Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", model={"contextLength": 65536}),
        fleet_with("H200-SXM"),
    )
    needed, usable = short.closest.split(" GB of memory on each, can use ")
    assert needed.rpartition(" ")[2] != usable.removesuffix(" GB")


def test_a_slice_competes_by_its_price() -> None:
    small = own("hf://Qwen/Qwen3-8B", model={"contextLength": 8192})
    found = placed(small, fleet_with("A100-80-SXM", "A100-80-SXM-MIG-3g.40gb"))
    assert all("no known price" not in each.reason for each in found.alternatives)


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


LIST = {
    "one device of a small instance": ("L40S", 1, 1, "1.861"),
    "two of an instance of four": ("L40S", 2, 1, "5.2464"),
    "four of it": ("L40S", 4, 1, "10.4928"),
    "eight of the largest": ("L40S", 8, 1, "30.1312"),
    "eight on two nodes": ("L40S", 8, 2, "20.9856"),
    "a device that comes by eight alone": ("H100-SXM", 1, 1, "6.88"),
    "all eight": ("H100-SXM", 8, 1, "55.04"),
}


@pytest.mark.parametrize(("name", "devices", "nodes", "want"), LIST.values(), ids=LIST.keys())
def test_a_list_price_is_that_of_an_instance_with_enough_devices(
    name: str, devices: int, nodes: int, want: str
) -> None:
    price = price_of(name, fleet(), shipped_catalog())
    assert price is not None
    assert price.of(devices, nodes) == Decimal(want)
    own = price_of(name, fleet_with(name, **{name.replace("-", "_"): OWN_PRICE}), shipped_catalog())
    assert own is not None
    assert own.of(devices, nodes) == 2 * devices


OWN_PRICE = {"pricePerHour": {"onDemand": "2"}}


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


def test_a_choice_is_kept_while_nothing_changes() -> None:
    def nodes(free: int) -> Inventory:
        return Inventory({"H100-SXM": InventoryEntry(8, free)})

    settings = fleet_with("H100-SXM")
    first = placed(own(model=FP8), settings, nodes(8))
    assert placed(own(model=FP8), settings, nodes(8)) is first
    assert placed(own(model=FP8), settings, nodes(0)) is not first


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


def test_devices_on_many_nodes_are_no_room_for_a_group() -> None:
    large = own(LLAMA_70B, model={"contextLength": 8192})
    ones = tuple(FreeDevices(f"n{number}", "nvidia.com/gpu", 1) for number in range(8))
    scattered = InventoryEntry(32, 8, None, 8, None, ones)
    whole = InventoryEntry(8, 8, None, 8, None, (FreeDevices("w", "nvidia.com/gpu", 8),))
    found = placed(large, fleet(), Inventory({"H100-SXM": scattered, "A100-80-SXM": whole}))
    assert found.accelerator == "A100-80-SXM"


def test_a_quota_below_what_nodes_have_leaves_the_rest_to_others() -> None:
    settings = fleet_with("H100-SXM", "L40S", H100_SXM={"quota": 4}, L40S={"quota": 8})
    nodes = Inventory({"H100-SXM": InventoryEntry(8, 8), "L40S": InventoryEntry(8, 8)})
    scaling = {"mode": "off", "minReplicas": 5, "maxReplicas": 8}
    small = {"contextLength": 8192}
    four = own("hf://Qwen/Qwen3-8B", model=small, scaling={**scaling, "minReplicas": 4})
    five = own("hf://Qwen/Qwen3-8B", model=small, scaling=scaling)
    h100 = {"accelerators": ["H100-SXM"], "parallelism": {"tensor": 1}}
    assert not placed(_with(four, h100), settings, nodes).reason.endswith("too few are free now")
    assert placed(_with(five, h100), settings, nodes).reason.endswith("too few are free now")
    # Before any node is there, the quota alone says it.
    assert placed(_with(five, h100), settings).reason.endswith("too few are free now")


@pytest.mark.parametrize(("others", "is_full"), [(4, False), (0, True)])
def test_what_others_have_is_not_of_our_quota(others: int, is_full: bool) -> None:
    """Four of eight are taken: by somebody else, or by us."""
    settings = fleet_with("H100-SXM", H100_SXM={"quota": 4})
    nodes = Inventory({"H100-SXM": InventoryEntry(8, 4, others=others)})
    scaling = {"mode": "off", "minReplicas": 4, "maxReplicas": 8}
    four = own("hf://Qwen/Qwen3-8B", model={"contextLength": 8192}, scaling=scaling)
    found = placed(_with(four, {"parallelism": {"tensor": 1}}), settings, nodes)
    assert found.reason.endswith("too few are free now") is is_full


def _with(deployment: ModelDeployment, hardware: dict[str, Any]) -> ModelDeployment:
    spec = deployment.spec.model_copy(update={"hardware": Hardware.model_validate(hardware)})
    return deployment.model_copy(update={"spec": spec})


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


def test_the_resource_is_the_one_that_nodes_offer() -> None:
    entry = InventoryEntry(4, 4, None, 4, "nvidia.com/gpu")
    small = own("hf://Qwen/Qwen3-8B", model={"contextLength": 8192})
    found = placed(small, fleet(), Inventory({"A100-80-SXM-MIG-3g.40gb": entry}))
    assert found.pools[0].resource == "nvidia.com/gpu"


def test_the_fleets_own_accelerator_has_facts() -> None:
    facts = {"memory": "96Gi", "memoryBandwidthGigabytesPerSecond": 2000, "denseTeraflops": 400}
    settings = fleet(accelerators=[{"name": "lab-card", "resource": "example.com/card", "facts": facts}])
    found = placed(own(model={"contextLength": 8192}), settings)
    assert (found.accelerator, found.pools[0].resource) == ("lab-card", "example.com/card")


def test_room_is_made_for_all_adapters_that_may_come_to_running_pods() -> None:
    def slots(count: int, **engine: Any) -> int | None:
        adapters = [{"name": f"a{number}", "source": f"s3://adapters/{number}"} for number in range(count)]
        model = {**FP8, "adapters": adapters}
        found = placed(own(model=model, engine_overlay=engine), fleet_with("H100-SXM"))
        return found.pools[0].max_concurrency

    none, one, eight, more = (slots(count) for count in (0, 1, 8, 20))
    assert one == eight == more
    assert none != one
    assert slots(1, version="0.30.0") != one

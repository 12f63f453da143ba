"""The law of a pool that was placed is the one that it was placed by."""

from __future__ import annotations

import pytest

from pointsman.api import ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement.capacity import capacity
from pointsman.placement.demand import demand_of
from pointsman.placement.law import PoolLaw, law_of
from tests.support.placements import EVERYTHING, own, placed

POOLS = [
    {"name": "a", "accelerator": "H100-SXM", "acceleratorsPerReplica": 2, "maxReplicas": 4},
    {"name": "b", "accelerator": "L40S", "acceleratorsPerReplica": 4, "capacity": "spot", "maxReplicas": 4},
]


def laws(deployment: ModelDeployment) -> list[PoolLaw | None]:
    found = placed(deployment)
    return [law_of(deployment, found, pool, EVERYTHING, shipped_catalog()) for pool in found.pools]


def test_it_gives_the_rate_that_placement_states() -> None:
    deployment = own()
    found = placed(deployment)
    [law] = laws(deployment)
    assert law is not None
    again = capacity(
        law.step, found.pipeline, found.max_concurrency, law.cache_tokens, demand_of(deployment, None)
    )
    assert again.latency.requests_per_second == pytest.approx(found.requests_per_second, rel=0.2)


def test_each_pool_has_its_own() -> None:
    first, second = laws(own(hardware={"pools": POOLS}))
    assert first is not None
    assert second is not None
    assert first.step.per_cached_token < second.step.per_cached_token


@pytest.mark.parametrize(
    "deployment",
    [
        pytest.param(own("hf://ggml-org/gemma-3-270m-GGUF", engine="llama.cpp"), id="a CPU"),
        pytest.param(own("hf://somebody/something", hardware={"pools": POOLS}), id="an unknown model"),
    ],
)
def test_nothing_is_guessed(deployment: ModelDeployment) -> None:
    assert set(laws(deployment)) == {None}

"""What validation says of a deployment's hardware from its file alone."""

import pytest

from pointsman.catalog import shipped_catalog
from pointsman.placement import refusals
from tests.support.builders import fleet
from tests.support.placements import own

POOL = {"name": "p", "maxReplicas": 1}

REFUSALS = {
    "a group that does not divide the heads": (
        own(hardware={"parallelism": {"tensor": 6}}),
        "ModelDeployment default/m: spec.hardware.parallelism.tensor: 6 does not divide the model's "
        "8 key-value heads; use 4 or 8",
    ),
    "a pool whose group does not divide them": (
        own(hardware={"pools": [{**POOL, "accelerator": "H100-SXM", "acceleratorsPerReplica": 3}]}),
        "ModelDeployment default/m: spec.hardware.pools[0].acceleratorsPerReplica: 3 does not divide the "
        "model's 8 key-value heads; use 2 or 4",
    ),
    "a misspelt accelerator": (
        own(hardware={"accelerators": ["L4", "H100SXM"]}),
        "ModelDeployment default/m: spec.hardware.accelerators[1]: H100SXM is no accelerator that the "
        'catalogue knows; did you mean "H100-SXM"?',
    ),
    "an accelerator of a pool that nobody knows": (
        own(hardware={"pools": [{**POOL, "accelerator": "abacus"}]}),
        "ModelDeployment default/m: spec.hardware.pools[0].accelerator: abacus is no accelerator that the "
        "catalogue knows; state its facts in the fleet settings",
    ),
    "a slice in a group": (
        own(
            "hf://Qwen/Qwen3-8B",
            hardware={
                "pools": [{**POOL, "accelerator": "A100-80-SXM-MIG-3g.40gb", "acceleratorsPerReplica": 2}]
            },
        ),
        "ModelDeployment default/m: spec.hardware.pools[0].acceleratorsPerReplica: A100-80-SXM-MIG-3g.40gb "
        "is a slice of a device and has no link to another; use one slice, or whole devices",
    ),
    "a precision that the pool's accelerator lacks": (
        own(
            "hf://google/gemma-3-4b-it",
            hardware={"pools": [{**POOL, "accelerator": "T4"}]},
        ),
        "ModelDeployment default/m: spec.hardware.pools[0].accelerator: T4 has no bf16 and gemma-3-4b-it "
        "overflows in fp16; use a later accelerator",
    ),
    "weights that the engine cannot make": (
        own(model={"quantization": "awq"}),
        "ModelDeployment default/m: spec.model.quantization: the weights at the source are not quantised and "
        "vllm does not make awq of them; name a source that holds awq weights, or remove quantization",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_its_place_and_its_fix(name: str) -> None:
    deployment, want = REFUSALS[name]
    assert [finding.text() for finding in refusals(deployment, fleet(), shipped_catalog())] == [want]


def test_nothing_is_said_of_what_may_be_right() -> None:
    fine = own(hardware={"parallelism": {"tensor": 4}, "accelerators": ["H100-SXM"]})
    assert refusals(fine, fleet(), shipped_catalog()) == []
    unknown = own("hf://me/mine", hardware={"parallelism": {"tensor": 6}})
    assert refusals(unknown, fleet(), shipped_catalog()) == []


def test_the_fleets_own_accelerators_are_known() -> None:
    facts = {"memory": "96Gi", "memoryBandwidthGigabytesPerSecond": 2000, "denseTeraflops": 400}
    settings = fleet(accelerators=[{"name": "abacus", "facts": facts}])
    assert refusals(own(hardware={"accelerators": ["abacus"]}), settings, shipped_catalog()) == []

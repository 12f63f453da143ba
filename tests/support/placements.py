"""What tests of placement say: fleets, deployments and the shapes of the catalogue's models, in few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.api import FleetSettings, ModelDeployment, Quantization
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, InventoryEntry, NotPlaced, Placement, Traffic, place
from pointsman.placement.devices import Device, device_named
from pointsman.placement.shape import ModelShape, quantized, shape_of
from tests.support.builders import deployment, fleet

QWEN_32B = "hf://Qwen/Qwen3-32B"
LLAMA_8B = "hf://meta-llama/Llama-3.1-8B-Instruct"
LLAMA_70B = "hf://meta-llama/Llama-3.3-70B-Instruct"
DEEPSEEK = "hf://deepseek-ai/DeepSeek-R1-0528"

EVERYTHING = fleet(accelerators=[{"name": name} for name in shipped_catalog().accelerators])


def fleet_with(*names: str, **settings: Mapping[str, Any]) -> FleetSettings:
    """Fleet settings that list accelerators; keywords overlay one, its dashes written as underscores."""
    listed = [{"name": name, **settings.get(name.replace("-", "_"), {})} for name in names]
    return fleet(accelerators=listed)


def inventory_of(**counts: int) -> Inventory:
    """Free devices by name, dashes written as underscores."""
    return Inventory({name.replace("_", "-"): InventoryEntry(n, n) for name, n in counts.items()})


def own(
    source: str = QWEN_32B,
    *,
    engine: str = "vllm",
    engine_overlay: Mapping[str, Any] | None = None,
    **spec: Any,
) -> ModelDeployment:
    """A deployment of our own; `model` and `engine_overlay` overlay what they name."""
    overlay = {**spec, "engine": dict(engine_overlay)} if engine_overlay else spec
    return deployment("m", source=source, engine=engine, spec=overlay)


def objectives(ttft: str = "", itl: str = "", *, quantile: str = "p95", **scaling: Any) -> dict[str, Any]:
    """spec.scaling with bounds."""
    bounds = {"ttft": ttft, "itl": itl}
    stated = {metric: {quantile: bound} for metric, bound in bounds.items() if bound}
    return {"mode": "off", "maxReplicas": 20, "objectives": stated, **scaling}


def placed(
    a_deployment: ModelDeployment,
    settings: FleetSettings = EVERYTHING,
    inventory: Inventory | None = None,
    traffic: Traffic | None = None,
) -> Placement:
    """The placement; fails with the answer where there is none."""
    result = place(a_deployment, settings, shipped_catalog(), inventory or Inventory(), traffic)
    assert isinstance(result, Placement), str(result)
    return result


def refused(
    a_deployment: ModelDeployment, settings: FleetSettings = EVERYTHING, inventory: Inventory | None = None
) -> NotPlaced:
    """Why there is no placement; fails where there is one."""
    result = place(a_deployment, settings, shipped_catalog(), inventory or Inventory())
    assert isinstance(result, NotPlaced), result.fit
    return result


def shape(name: str, quantization: str | None = None) -> ModelShape:
    """A model of the catalogue, in another quantisation by its bits."""
    known = shipped_catalog().models[name]
    model = deployment("m", source=known.sources[0]).spec.model
    assert model is not None
    found = shape_of(model, known)
    assert found is not None
    return found if quantization is None else quantized(found, Quantization(quantization))


def device(name: str, settings: FleetSettings | None = None) -> Device:
    found = device_named(name, settings or FleetSettings(), shipped_catalog())
    assert found is not None, name
    return found

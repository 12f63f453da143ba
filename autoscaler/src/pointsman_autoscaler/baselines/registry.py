"""Every peer by its short name, with its main knob and the values that a sweep tries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pointsman.placement.demand import CONVERSATION, Traffic
from pointsman_autoscaler.baselines.aibrix import Aibrix
from pointsman_autoscaler.baselines.dynamo_load import DynamoLoad
from pointsman_autoscaler.baselines.dynamo_sla import DynamoSla
from pointsman_autoscaler.baselines.dynamo_throughput import DynamoThroughput
from pointsman_autoscaler.baselines.hpa import Hpa
from pointsman_autoscaler.baselines.keda import Keda
from pointsman_autoscaler.baselines.kpa import Kpa
from pointsman_autoscaler.baselines.ray_serve import RayServe
from pointsman_autoscaler.baselines.setup import Setup
from pointsman_autoscaler.baselines.skyserve import SkyServe
from pointsman_autoscaler.baselines.static import Static
from pointsman_autoscaler.baselines.wva_v1 import WvaV1
from pointsman_autoscaler.baselines.wva_v2 import WvaV2
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.settings import ScalingSettings

_SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_CACHE_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_FACTORS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Baseline:
    """`factory(setup, **{knob: value})`; without the knob it is as shipped."""

    factory: Callable[..., Policy]
    knob: str
    values: tuple[float, ...]
    title: str

    def build(
        self,
        settings: ScalingSettings,
        value: float | None = None,
        *,
        traffic: Traffic = CONVERSATION,
        order: tuple[str, ...] = (),
    ) -> Policy:
        """A fresh one; `traffic` is the usual request that its target was measured with, see Setup."""
        setup = Setup(settings, traffic, order)
        return self.factory(setup) if value is None else self.factory(setup, **{self.knob: value})


registry: Mapping[str, Baseline] = {
    "hpa": Baseline(Hpa, "target", _SHARES, "HPA on requests"),
    "hpa-cache": Baseline(partial(Hpa, metric="cache"), "target", _CACHE_SHARES, "HPA on KV cache"),
    "keda": Baseline(Keda, "threshold", _SHARES, "KEDA on requests"),
    "kpa": Baseline(Kpa, "target", _SHARES, "Knative KPA"),
    "aibrix": Baseline(Aibrix, "target", _SHARES, "AIBrix APA on requests"),
    "aibrix-cache": Baseline(
        partial(Aibrix, metric="cache"), "target", _CACHE_SHARES, "AIBrix APA on KV cache"
    ),
    "wva1": Baseline(WvaV1, "spare_cache", (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "llm-d WVA v1"),
    "wva": Baseline(WvaV2, "scale_up", (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95), "llm-d WVA v2"),
    "dynamo0": Baseline(DynamoSla, "sla_factor", _FACTORS, "Dynamo 0.x SLA planner"),
    "dynamo": Baseline(DynamoThroughput, "sla_factor", _FACTORS, "Dynamo 1.6 throughput"),
    "dynamo-load": Baseline(DynamoLoad, "sla_factor", _FACTORS, "Dynamo 1.6 load"),
    "ray": Baseline(RayServe, "target", _SHARES, "Ray Serve"),
    "skyserve": Baseline(SkyServe, "target", _SHARES, "SkyServe"),
    "static": Baseline(Static, "replicas", (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48), "Static"),
}

"""The two latencies that Dynamo's planner is given, from a deployment's bounds. Pure."""

from dataclasses import dataclass

from pointsman_autoscaler.settings import ScalingSettings

# Shipped with the planner.
_TTFT_SECONDS = 0.5
_ITL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Objectives:
    ttft_seconds: float
    itl_seconds: float


def objectives(settings: ScalingSettings, factor: float) -> Objectives:
    """The strictest bound of each kind times `factor`; means are held to it, as no quantiles are known."""

    def strictest(metric: str, otherwise: float) -> float:
        return min((bound.seconds for bound in settings.bounds if bound.metric == metric), default=otherwise)

    return Objectives(strictest("ttft", _TTFT_SECONDS) * factor, strictest("itl", _ITL_SECONDS) * factor)

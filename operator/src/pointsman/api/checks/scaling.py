"""Scaling that says less than it seems to, and time zones that do not exist."""

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pointsman.api.calendar import TimeZone
from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.modeldeployment import ModelDeployment
from pointsman.api.scaling import Objectives, Scaling

_SURE_TO_EXIST = "Europe/Berlin"
_QUANTILES = ("p50", "p90", "p95", "p99")


def surprising_scaling(deployment: Located[ModelDeployment]) -> Iterator[Finding]:
    scaling = deployment.resource.spec.scaling
    if scaling is None:
        return
    yield from _schedule(deployment, scaling)
    if scaling.objectives is not None:
        yield from _objectives(deployment, scaling.objectives)


def _schedule(deployment: Located[ModelDeployment], scaling: Scaling) -> Iterator[Finding]:
    for index, entry in enumerate(scaling.schedule):
        path = ("spec", "scaling", "schedule", index)
        # A machine without time zones cannot tell.
        if not _exists(entry.time_zone) and _exists(_SURE_TO_EXIST):
            what = f"must be {TimeZone.looks_like}; there is none called {entry.time_zone}"
            yield deployment.finding((*path, "timeZone"), what, "correct it")
        if entry.min_replicas <= scaling.min_replicas and scaling.idle is None:
            what = f"changes nothing: spec.scaling.minReplicas is {scaling.min_replicas} at any time"
            todo = "raise it, or remove this entry"
            yield deployment.finding((*path, "minReplicas"), what, todo, severity="warning")


def _objectives(deployment: Located[ModelDeployment], objectives: Objectives) -> Iterator[Finding]:
    """A lower quantile that is not bounded more tightly than a higher one holds whenever that one does."""
    for metric, quantiles in (("ttft", objectives.ttft), ("itl", objectives.itl)):
        for low, high in combinations(_QUANTILES, 2):
            looser, tighter = getattr(quantiles, low, None), getattr(quantiles, high, None)
            if looser is not None and tighter is not None and looser.seconds >= tighter.seconds:
                yield deployment.finding(
                    ("spec", "scaling", "objectives", metric, low),
                    f"says nothing: {high} is bounded by {tighter} already",
                    f"state less than that, or remove {low}",
                    severity="warning",
                )
                break


@cache
def _exists(time_zone: str) -> bool:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True

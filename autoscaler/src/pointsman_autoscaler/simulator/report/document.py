"""The outcome as a JSON document: numbers without units are dollars, seconds, shares and counts.

`policies` has the first seed's; what is infinite is null.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pointsman_autoscaler.simulator.reach import Miss
from pointsman_autoscaler.simulator.report.comparison import Comparison
from pointsman_autoscaler.simulator.result import Result

_APART = {"timeline", "policy", "scenario"}


def document(comparison: Comparison) -> dict[str, Any]:
    """Everything but the minutes."""
    scenario = comparison.scenario
    return {
        "scenario": scenario.name,
        "load": {
            "requests": len(scenario.arrivals),
            "seconds": scenario.arrivals.span_seconds,
            "thinning": scenario.arrivals.thinning,
            "description": scenario.arrivals.description,
        },
        "bounds": {bound.name: bound.seconds for bound in scenario.settings.bounds},
        "currency": comparison.currency,
        "leastDollars": comparison.least_dollars,
        "notes": list(comparison.notes),
        "cannotBeMet": _missed(comparison.miss),
        "seeds": list(comparison.seeds),
        "policies": {result.policy: _of(result, comparison) for result in comparison.results},
        "otherSeeds": {
            runs[0].policy: [_of(run, comparison) for run in runs[1:]] for runs in comparison.runs
        },
        "settings": {
            name: [
                {"setting": tried.setting, **_of(run, comparison)} for tried in sweep for run in tried.runs
            ]
            for name, sweep in (comparison.sweeps or {}).items()
        },
    }


def _missed(miss: Miss | None) -> dict[str, Any] | None:
    """The bound that no number of replicas keeps, and what the nearest pool makes of it."""
    if miss is None:
        return None
    found = {"bound": miss.bound.name, "boundSeconds": miss.bound.seconds, "pool": miss.flavour}
    return found | {"seconds": _plain(miss.seconds), "times": _plain(miss.times)}


def _of(result: Result, comparison: Comparison) -> dict[str, Any]:
    own = {
        _camel(one.name): _plain(getattr(result, one.name))
        for one in fields(result)
        if one.name not in _APART
    }
    return own | {"metShare": result.met_share, "againstLeast": comparison.against_least(result)}


def _plain(value: Any) -> Any:
    """JSON has no infinity: it is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)

"""The outcome as a JSON document: numbers without units are dollars, seconds, shares and counts."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

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
        "policies": {result.policy: _of(result, comparison) for result in comparison.results},
        "settings": {
            name: [{"setting": tried.setting, **_of(tried.result, comparison)} for tried in sweep]
            for name, sweep in (comparison.sweeps or {}).items()
        },
    }


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

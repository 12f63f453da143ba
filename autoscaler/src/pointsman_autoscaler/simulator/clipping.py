"""A policy's answer, made one that the cluster would accept. Pure."""

from collections.abc import Mapping

from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.scenario import Scenario
from pointsman_autoscaler.view import Flavour


def clipped(
    answer: Mapping[str, int],
    asked: Mapping[str, int],
    flavours: Mapping[str, Flavour],
    settings: ScalingSettings,
) -> dict[str, int]:
    """Every flavour within its limits, and all together within those of the settings.

    A flavour that the answer does not name stays as it is. What is too much goes from the dearest flavours,
    what is too little comes from the cheapest. Zero in all is kept where the settings allow to be idle.
    """
    found = {
        name: max(flavour.minimum, min(flavour.maximum, int(answer.get(name, asked[name]))))
        for name, flavour in flavours.items()
    }
    if settings.idle_after_seconds is not None and not any(found.values()):
        return found
    cheapest = sorted(flavours, key=lambda name: (flavours[name].price_per_hour, name))
    missing = settings.minimum - sum(found.values())
    for name in cheapest:
        more = max(0, min(missing, flavours[name].maximum - found[name]))
        found[name] += more
        missing -= more
    excess = sum(found.values()) - settings.maximum
    for name in reversed(cheapest):
        fewer = max(0, min(excess, found[name] - flavours[name].minimum))
        found[name] -= fewer
        excess -= fewer
    return found


def initial(scenario: Scenario) -> dict[str, int]:
    """Replicas at the beginning: those stated, or the least that is allowed."""
    flavours = {each.flavour.name: each.flavour for each in scenario.flavours}
    return clipped(scenario.initial, dict.fromkeys(flavours, 0), flavours, scenario.settings)

"""When spot capacity is taken back: drawn from the seed alone, so that all policies meet the same losses."""

from pointsman_autoscaler.simulator.luck import generator
from pointsman_autoscaler.simulator.scenario import Scenario, Spot
from pointsman_autoscaler.view import Flavour

_HOUR = 3600.0

Loss = tuple[float, float]
"""At so many seconds from the beginning; and for how many more, after the notice, none is to be had."""


def losses(seed: int, flavour: Flavour, spot: Spot, span_seconds: float) -> list[Loss]:
    """The same for all flavours of a domain with the same hazard."""
    random = generator(seed, "losses", domain_of(flavour))
    found: list[Loss] = []
    at = 0.0
    while spot.losses_per_hour > 0:
        at += float(random.exponential(_HOUR / spot.losses_per_hour))
        unavailable = float(random.exponential(spot.unavailable_seconds))
        if at >= span_seconds:
            break
        found.append((at, unavailable))
    return found


def outages(scenario: Scenario, seed: int) -> dict[str, list[tuple[float, float]]]:
    """By flavour, from when until when nobody has any of it. Losses that may leave some are none of these."""
    span = scenario.arrivals.span_seconds
    return {
        each.flavour.name: [
            (at, at + each.spot.notice_seconds + unavailable)
            for at, unavailable in losses(seed, each.flavour, each.spot, span)
        ]
        if each.spot is not None and each.spot.share >= 1
        else []
        for each in scenario.flavours
    }


def domain_of(flavour: Flavour) -> str:
    """What is lost together."""
    return flavour.domain or flavour.name

"""Decisions in English: a sentence that stands as long as what is decided does, and one with numbers."""

from collections.abc import Mapping, Sequence

from pointsman_autoscaler.decision.decision import Alternative, Decision, Reason
from pointsman_autoscaler.decision.need import Need
from pointsman_autoscaler.decision.observation import Observation, Pool

_WHY = {
    Reason.LOAD: "that is what the load needs",
    Reason.BURST: "requests wait longer than is allowed, and the queue must go",
    Reason.SATURATION: "caches and queues fill up",
    Reason.SPOT_HEDGE: "the rest must carry the load when the worst domain of spot capacity is lost",
    Reason.HELD: "fewer would do, but not for long enough yet",
    Reason.MAXIMUM: "the load needs more than maxReplicas",
    Reason.QUOTA: "the load needs more than pools may have",
    Reason.PREWARMED: "former days were busy at this time",
    Reason.IDLE: "nothing was asked for a while",
    Reason.BLIND: "nothing is seen of the load, so what is there stays",
    Reason.STALE: "what is seen of the load is old, so there will not be fewer",
    Reason.PARTLY_BLIND: "many replicas say nothing, so there will not be fewer",
}


def sentence(
    decision: Decision, observation: Observation, barred: frozenset[str], is_exposed: bool = False
) -> str:
    """Without numbers that change at every look, for conditions and events."""
    parts = [f"{counted(decision.replicas)}: {_why(decision, observation)}"]
    if decision.binding and decision.reason in (Reason.LOAD, Reason.BURST, Reason.MAXIMUM, Reason.BUDGET):
        parts.append(f"{decision.binding} keeps one replica from serving more")
    if barred:
        names = ", ".join(sorted(barred))
        parts.append(f"{names} did not start in time or was lost, others take its place")
    if is_exposed:
        parts.append("nothing stands by for a loss of spot, as few enough windows were missed for one")
    return "; ".join(parts)


def detail(
    decision: Decision,
    alternatives: Sequence[Alternative],
    need: Need,
    rates: Sequence[float],
    pools: Sequence[Pool],
) -> str:
    """With the numbers of this moment."""
    text = f"{counted(decision.replicas)} because {_sum(need, rates, pools, decision)}"
    text += f"; predicted: attainment {_percent(decision.attainment)}, {_money(decision.cost_per_hour)}/h"
    for other in alternatives:
        named = str(sum(other.replicas.values())) if len(pools) == 1 else counted(other.replicas)
        text += f"; with {named}: {_percent(other.attainment)}, {_money(other.cost_per_hour)}/h"
    return text


def counted(replicas: Mapping[str, int]) -> str:
    """`4 replicas (3 h100, 1 l4)`."""
    total = sum(replicas.values())
    text = "1 replica" if total == 1 else f"{total} replicas"
    used = [f"{count} {name}" for name, count in sorted(replicas.items()) if count]
    return f"{text} ({', '.join(used)})" if len(replicas) > 1 and used else text


def _why(decision: Decision, observation: Observation) -> str:
    settings = observation.settings
    if decision.reason is Reason.MINIMUM:
        return "that is the least that is allowed"
    if decision.reason is Reason.SCHEDULE and observation.scheduled is not None:
        return f"the schedule {observation.scheduled[0]} asks for so many"
    if decision.reason is Reason.BUDGET:
        return f"the load needs more than {_money(settings.budget_per_hour or 0.0)} an hour pay"
    if decision.reason is Reason.UNREACHABLE:
        bounds = ", ".join(f"{bound.name} {_seconds(bound.seconds)}" for bound in settings.bounds)
        return f"no number of replicas reaches {bounds}; these serve what they can"
    return _WHY[decision.reason]


def _sum(need: Need, rates: Sequence[float], pools: Sequence[Pool], decision: Decision) -> str:
    """`11.2 requests/s × 1.18 headroom ÷ 3.1 = 4.3`."""
    text = f"{_number(need.ahead.mean)} requests/s × {need.headroom:.2f} headroom"
    if need.clearing > 0:
        text += f" (of which {_number(need.clearing)} requests/s work off the queue)"
    used = [place for place, pool in enumerate(pools) if decision.replicas[pool.name]]
    if len(used) == 1 and rates[used[0]] > 0:
        rate = rates[used[0]]
        text += f" ÷ {_number(rate)} = {_number(need.requests_per_second / rate, 2)}"
    elif used:
        each = ", ".join(f"{_number(rates[place])} of {pools[place].name}" for place in used)
        text += f" = {_number(need.requests_per_second)}, one replica serves {each}"
    if decision.reason not in (Reason.LOAD, Reason.MINIMUM):
        text += f", {_WHY.get(decision.reason, decision.reason.value)}"
    if len(pools) == 1:
        text += f" (start-up p90 {pools[0].flavour.startup.p90_seconds:.0f} s)"
    return text


def _number(value: float, digits: int = 3) -> str:
    """Without an exponent: of requests a second less than a thousandth is none."""
    if value < 0.001:
        return "0"
    return f"{value:.0f}" if value >= 10**digits else f"{value:.{digits}g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _money(amount: float) -> str:
    return f"{amount:.2f}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:g} s"

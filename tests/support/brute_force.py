"""The choice of placement beside the best that measured profiles allow, found by looking at all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pointsman.api import FleetSettings
from pointsman.api.hardware import Hardware, Objective
from pointsman.catalog import shipped_catalog
from pointsman.placement.choosing import Ranking, choose
from pointsman.placement.demand import Bound, Demand
from pointsman.placement.fitting import Fleet, options
from pointsman.placement.inventory import Inventory
from pointsman.placement.options import Asked, Miss, Option
from tests.support.profiles import Configuration, Row, Scenario, scenarios

TTFT_SECONDS = 2.0
ITL_SECONDS = (0.008, 0.010, 0.0125, 0.015, 0.020, 0.025, 0.030, 0.040, 0.060, 0.100)


@dataclass(frozen=True)
class Comparison:
    """One objective: what placement took and what would have been cheapest, in dollars for 1,000 requests."""

    scenario: Scenario
    itl: float
    chosen: str
    chosen_cost: float
    """Infinite where the choice misses the objective by measurement."""
    best: str
    best_cost: float
    narrow: bool
    """The objective lies within the model's error of what decides between the two."""

    @property
    def ratio(self) -> float:
        return self.chosen_cost / self.best_cost


def compare(rows: Iterable[Row]) -> Iterator[Comparison]:
    """Every scenario of the rows with every bound on the time between tokens that something meets."""
    for scenario, configurations in sorted(scenarios(rows).items(), key=lambda item: str(item[0])):
        for itl in ITL_SECONDS:
            costs = {_name(each): cost(each, itl) for each in configurations}
            best = min(costs, key=lambda name: costs[name])
            if costs[best] == float("inf"):
                continue
            chosen = _choice(scenario, configurations, itl)
            taken = "nothing" if chosen is None else f"{chosen.spread.tensor} × {chosen.device.name}"
            yield Comparison(
                scenario,
                itl,
                taken,
                costs.get(taken, float("inf")),
                best,
                costs[best],
                _is_narrow(configurations, itl, taken, costs[best]),
            )


# The mean error of the law over held-out rows is below this (`test_step_time`).
_ERROR = 0.1


def _is_narrow(configurations: tuple[Configuration, ...], itl: float, taken: str, best_cost: float) -> bool:
    """Whether an objective so much looser or tighter would have made the choice as cheap as the best."""
    for each in configurations:
        if _name(each) == taken:
            return any(cost(each, itl * factor) <= 1.05 * best_cost for factor in (1 - _ERROR, 1 + _ERROR))
    return False


def cost(configuration: Configuration, itl: float) -> float:
    """Dollars for 1,000 requests at list prices; infinite where the bounds are missed."""
    rate = configuration.capacity(itl, TTFT_SECONDS)
    price = shipped_catalog().accelerators[configuration.accelerator].price
    assert price is not None
    return float(price.per_hour) * configuration.tensor / 3.6 / rate if rate else float("inf")


def _name(configuration: Configuration) -> str:
    return f"{configuration.tensor} × {configuration.accelerator}"


def _choice(scenario: Scenario, configurations: tuple[Configuration, ...], itl: float) -> Option | None:
    """What placement chooses among the configurations that were measured."""
    measured = {(each.accelerator, each.tensor) for each in configurations}
    most = max(each.rows[-1].concurrency for each in configurations)
    demand = Demand((Bound("itl", 0.5, itl), Bound("ttft", 0.5, TTFT_SECONDS)), scenario.traffic, stated=True)
    asked = Asked(scenario.shape, scenario.engine, scenario.traffic.total_tokens, most, demand)
    names = sorted({each.accelerator for each in configurations})
    settings = FleetSettings.model_validate({"accelerators": [{"name": name} for name in names]})
    fleet = Fleet(settings, shipped_catalog(), Inventory())
    found: list[Option | Miss] = []
    for name in names:
        held = next(each.rows[0].shape for each in configurations if each.accelerator == name)
        found += [
            option
            for option in options(Hardware(), replace(asked, shape=held), fleet, (name,))
            if (option.device.name, option.spread.tensor) in measured
        ]
    return choose(found, Ranking(Objective.COST, asked, fleet, None, 1))


def table(comparisons: Iterable[Comparison]) -> str:
    """One line an objective."""
    lines = [f"{'scenario':60} {'itl':>8} {'chosen':>14} {'best':>14} {'ratio':>7}"]
    for each in comparisons:
        scenario = each.scenario
        what = f"{scenario.engine} {scenario.model} {scenario.quantization}, {scenario.traffic}"
        lines.append(
            f"{what:60} {each.itl * 1e3:5.1f} ms {each.chosen:>14} {each.best:>14} {each.ratio:7.3f}"
            + (" (narrow)" if each.narrow and each.ratio > 1.05 else "")
        )
    return "\n".join(lines)

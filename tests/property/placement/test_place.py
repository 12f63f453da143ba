"""What holds of every placement."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from pointsman.api import EngineName, FleetSettings, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, NotPlaced, Placement, explain, place
from pointsman.placement.capacity import capacity, latency_at
from pointsman.placement.demand import Bound, Demand, Traffic
from pointsman.placement.devices import setting_of
from pointsman.placement.placing import _chosen
from pointsman.placement.spread import tensor_refusal
from pointsman.placement.stage import deviations, mean_below
from pointsman.placement.steptime import StepTime
from tests.property.placement.strategies import deployments, fleets, inventories
from tests.support.placements import shape

CATALOG = shipped_catalog()


@given(deployments(), fleets(), inventories())
def test_an_answer_is_one_of_two_and_survives_json(
    deployment: ModelDeployment, settings: FleetSettings, inventory: Inventory
) -> None:
    result = place(deployment, settings, CATALOG, inventory)
    again = json.loads(json.dumps(result.to_json()))
    assert type(result).from_json(again) == result
    assert all("\n" not in line and len(line) < 1024 for line in explain(result))
    if isinstance(result, NotPlaced):
        assert result.message
        assert result.todo
        assert result.field.startswith("spec.")


@given(deployments(), fleets(), inventories())
def test_the_same_question_has_the_same_answer(
    deployment: ModelDeployment, settings: FleetSettings, inventory: Inventory
) -> None:
    first = place(deployment, settings, CATALOG, inventory)
    _chosen.cache_clear()
    copies = (deployment.model_copy(deep=True), settings.model_copy(deep=True))
    assert place(*copies, CATALOG, Inventory(dict(inventory.accelerators))) == first


@given(deployments(), fleets(), inventories())
def test_a_placement_keeps_to_the_fleet_and_the_models_rules(
    deployment: ModelDeployment, settings: FleetSettings, inventory: Inventory
) -> None:
    result = place(deployment, settings, CATALOG, inventory)
    if not isinstance(result, Placement):
        return
    setting = setting_of(result.accelerator, settings)
    assert setting is not None
    assert result.accelerators_per_replica == result.tensor * result.pipeline
    assert setting.quota is None or result.accelerators_per_replica <= setting.quota
    entry = inventory.accelerators.get(result.accelerator)
    if entry is not None and setting.quota is None:
        assert result.accelerators_per_replica <= entry.total
    if entry is not None and entry.per_node is not None:
        assert result.accelerators_per_replica <= entry.per_node
    known = CATALOG.models.get(_model_name(deployment))
    if known is not None:
        found = shape(known.name, result.quantization)
        assert tensor_refusal(found, result.tensor, EngineName.VLLM) is None
    assert result.max_concurrency >= 1
    assert result.requests_per_second > 0


@given(deployments(), fleets(), inventories())
def test_the_order_of_a_fleet_decides_nothing(
    deployment: ModelDeployment, settings: FleetSettings, inventory: Inventory
) -> None:
    turned = settings.model_copy(update={"accelerators": settings.accelerators[::-1]})
    entries = dict(reversed(list(inventory.accelerators.items())))
    first = place(deployment, settings, CATALOG, inventory)
    again = place(deployment, turned, CATALOG, Inventory(entries))
    # Only what a refusal lists follows the order in which the settings list it.
    assert isinstance(first, NotPlaced) == isinstance(again, NotPlaced)
    assert isinstance(first, NotPlaced) or first == again


_COST = re.compile(r"([0-9.,e-]+) USD( per 1,000 requests)?")


@given(deployments(), fleets(), inventories())
def test_what_is_said_agrees_with_the_choice(
    deployment: ModelDeployment, settings: FleetSettings, inventory: Inventory
) -> None:
    """Nothing that could have been taken is said to be cheaper than what was taken for its cost."""
    result = place(deployment, settings, CATALOG, inventory)
    if not isinstance(result, Placement) or not result.reason.startswith("chosen for cost"):
        return
    taken = _COST.search(result.reason)
    waits = result.reason.endswith("too few are free now")
    for other in result.alternatives:
        cost = _COST.match(other.reason)
        if cost is None or "budget" in other.reason or ("too few" in other.reason and not waits):
            continue
        assert taken is not None, (result.reason, other)
        assert _number(taken[1]) <= _number(cost[1]), (result.reason, other)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _model_name(deployment: ModelDeployment) -> str:
    model = deployment.spec.model
    known = CATALOG.model_at(model.source) if model is not None else None
    return known.name if known is not None else ""


@given(deployments(), fleets())
def test_a_larger_fleet_is_never_a_reason_to_refuse(
    deployment: ModelDeployment, settings: FleetSettings
) -> None:
    if isinstance(place(deployment, settings, CATALOG, Inventory()), NotPlaced):
        return
    more = FleetSettings.model_validate(
        {
            "accelerators": [
                *(item.to_document() for item in settings.accelerators),
                *([{"name": "H200-SXM"}] if setting_of("H200-SXM", settings) is None else []),
            ]
        }
    )
    assert isinstance(place(deployment, more, CATALOG, Inventory()), Placement)


seconds = st.floats(1e-6, 1e-1)


@given(
    st.builds(StepTime, st.floats(1e-4, 0.2), st.floats(1e-7, 1e-3), st.floats(0, 1e-4), st.floats(0, 1e-6)),
    st.integers(1, 4),
    st.integers(1, 512),
    st.integers(1000, 10**7),
    st.builds(Traffic, st.integers(1, 20_000), st.integers(1, 4000)),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    st.floats(0.001, 2),
    st.floats(0.01, 10),
)
def test_capacity_stays_within_its_bounds(
    step: StepTime,
    stages: int,
    slots: int,
    cache_tokens: int,
    traffic: Traffic,
    quantile: float,
    itl: float,
    ttft: float,
) -> None:
    demand = Demand((Bound("itl", quantile, itl), Bound("ttft", quantile, ttft)), traffic, stated=True)
    found = capacity(step, stages, slots, cache_tokens, demand)
    assert found.requests > 0
    assert found.latency.requests_per_second > 0
    assert found.within == (not found.latency.missed())
    most = mean_below(min(slots, cache_tokens / traffic.held_tokens), deviations(quantile))
    if found.within and found.requests < 0.97 * max(most, 0.05 * stages):
        # There is room for more, so a bound is reached, or more would miss it.
        reached = max(seconds / bound.seconds for bound, seconds in found.latency.tails) > 0.99
        assert reached or latency_at(step, stages, found.requests / stages * 1.1, demand).missed()


@given(
    st.integers(1, 512),
    st.floats(0.005, 0.5),
    st.floats(1.0, 2.0),
)
def test_looser_bounds_never_serve_less(slots: int, itl: float, factor: float) -> None:
    step = StepTime(0.01, 3e-5, 2e-5, 4e-8)
    traffic = Traffic(1155, 211)

    def served(bound: float) -> float:
        demand = Demand((Bound("itl", 0.95, bound),), traffic, stated=True)
        found = capacity(step, 1, slots, 10**6, demand)
        return found.latency.requests_per_second if found.within else 0.0

    # The search ends a little below the bound: what it finds is exact to two parts in a hundred.
    assert served(itl * factor) >= 0.98 * served(itl)

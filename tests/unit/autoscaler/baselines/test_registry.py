"""The peers by name."""

import dataclasses

import pytest

from pointsman.placement.demand import Traffic
from pointsman_autoscaler.baselines.registry import registry
from tests.support.baseline_views import NOW, arriving, flavour, pods, settings, view

EXPECTED = {
    "hpa", "hpa-cache", "keda", "kpa", "aibrix", "aibrix-cache", "wva1", "wva", "dynamo0", "dynamo",
    "dynamo-load", "ray", "skyserve", "static",
}  # fmt: skip


def test_every_peer_is_there() -> None:
    assert set(registry) == EXPECTED


@pytest.mark.parametrize("name", registry)
def test_a_peer_is_called_what_it_is_and_its_knob_is_a_field(name: str) -> None:
    baseline = registry[name]
    shipped = baseline.build(settings())
    assert shipped.name == name
    assert shipped.interval_seconds > 0
    assert dataclasses.is_dataclass(shipped)
    assert baseline.knob in {field.name for field in dataclasses.fields(shipped)}
    assert len(set(baseline.values)) == len(baseline.values) >= 7
    tuned = baseline.build(settings(), baseline.values[0], traffic=Traffic(2048, 28), order=("h100",))
    assert getattr(tuned, baseline.knob) == baseline.values[0]


@pytest.mark.parametrize("name", registry)
def test_two_of_a_kind_share_nothing(name: str) -> None:
    """One that saw a flood leaves the other as it was."""
    baseline = registry[name]
    calm = view(flavour(), pods=pods(2, 3, cache=0.1), gateway=arriving(1.0, in_flight=6))
    flood = view(
        flavour(), pods=pods(2, 250, cache=0.95, waiting=400.0), gateway=arriving(900.0, in_flight=1300)
    )
    alone = baseline.build(settings()).decide(calm)
    flooded, other = baseline.build(settings()), baseline.build(settings())
    for step in range(20):
        flooded.decide(dataclasses.replace(flood, now_seconds=NOW + step))
    assert other.decide(calm) == alone


@pytest.mark.parametrize(
    "name", sorted(EXPECTED - {"static", "skyserve", "dynamo0", "dynamo", "dynamo-load", "wva"})
)
def test_a_tighter_knob_never_asks_for_fewer(name: str) -> None:
    """In a flood, over the whole sweep; those that count requests and tokens have tests of their own."""
    baseline = registry[name]
    counts = []
    for value in baseline.values:
        peer, now = baseline.build(settings(), value), NOW
        for now in (NOW, NOW + 31):
            busy = pods(4, 200, cache=0.7, waiting=9.0, now=now)
            flood = view(flavour(), pods=busy, gateway=arriving(200.0, now, in_flight=900), now=now)
            count = peer.decide(flood)["h100"]
        counts.append(count)
    assert counts in (sorted(counts), sorted(counts, reverse=True))
    assert max(counts) > 4

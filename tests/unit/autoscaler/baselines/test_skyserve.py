"""SkyServe, held to the vectors of its own tests, and as a policy with spot replicas."""

import pytest

from pointsman_autoscaler.baselines.skyserve import Hysteresis, SkyServe, on_demand
from pointsman_autoscaler.baselines.zones import Zones
from pointsman_autoscaler.view import Flavour, Pod, View
from tests.support.baseline_views import NOW, arriving, flavour, pod, pods, setup, view

# skypilot-org/skypilot, tests/unit_tests/test_sky/serve/test_serve_autoscaling.py: a delay of 40 s is two
# decisions of 20 s.


def test_request_rate_hysteresis_delays_scale_down() -> None:
    hysteresis = Hysteresis(15, 2)
    assert [hysteresis.follow(2, 1), hysteresis.follow(2, 1)] == [2, 1]


def test_request_rate_hysteresis_delays_scale_up() -> None:
    hysteresis = Hysteresis(2, 60)
    assert [hysteresis.follow(1, 2), hysteresis.follow(1, 2)] == [1, 2]


def test_from_zero_it_is_followed_at_once_and_agreement_begins_anew() -> None:
    hysteresis = Hysteresis(2, 2)
    assert hysteresis.follow(0, 3) == 3
    assert [hysteresis.follow(1, 2), hysteresis.follow(1, 1), hysteresis.follow(1, 2)] == [1, 1, 1]
    assert [hysteresis.follow(2, 1), hysteresis.follow(2, 3), hysteresis.follow(2, 1)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("target", "spot", "ready", "base", "want"),
    [(4, 5, 5, 0, 0), (4, 5, 3, 0, 2), (4, 5, 0, 0, 4), (4, 4, 4, 1, 1), (1, 0, 0, 1, 1)],
)
def test_on_demand_fills_in_for_spot_that_is_not_ready(
    target: int, spot: int, ready: int, base: int, want: int
) -> None:
    """The last is test_fallback_autoscaler_keeps_base_ondemand."""
    assert on_demand(target, spot, ready, base) == want


def replica_rate() -> float:
    rate = setup().profile(flavour()).requests_per_second
    assert rate is not None
    return rate


def load(replicas: float, count: int, now: float = NOW) -> View:
    """A load for so many replicas at 80 %."""
    rate = replicas * 0.8 * replica_rate()
    return view(pods=pods(count, 1, now=now), gateway=arriving(rate, now), now=now)


def test_five_minutes_up_and_twenty_down() -> None:
    up, down = SkyServe(setup()), SkyServe(setup())
    grown = [up.decide(load(2.9, 1, NOW + 20 * step))["h100"] for step in range(16)]
    assert grown == [1] * 14 + [3] * 2
    shrunk = [down.decide(load(0.9, 3, NOW + 20 * step))["h100"] for step in range(61)]
    assert shrunk == [3] * 59 + [1] * 2


def test_without_requests_to_count_it_stays() -> None:
    assert SkyServe(setup()).decide(view(pods=pods(3, 1))) == {"h100": 3}
    assert SkyServe(setup()).decide(view(flavour(law=None), pods=pods(3, 1), gateway=arriving(5))) == {
        "h100": 3
    }


ON_DEMAND = flavour("steady", 4.0)
ZONES = [flavour(f"spot-{zone}", 1.2, spot=True, domain=zone) for zone in "abc"]


def mixed(
    *of: Pod, asked: dict[str, int], now: float = NOW, known: tuple[Flavour, ...] = (ON_DEMAND, *ZONES)
) -> View:
    return view(*known, pods=of, asked=asked, gateway=arriving(1.0, now), now=now)


def spot(name: str, zone: str, ready: bool = True) -> Pod:
    return pod(name, of=f"spot-{zone}", ready=ready)


def test_spot_is_spread_with_one_to_spare_and_on_demand_until_it_is_ready() -> None:
    sky = SkyServe(setup(minimum=3))
    first = sky.decide(mixed(asked={"steady": 3}))
    assert first == {"steady": 3, "spot-a": 2, "spot-b": 1, "spot-c": 1}
    ready = [spot("1", "a"), spot("2", "a"), spot("3", "b"), spot("4", "c")]
    assert sky.decide(mixed(*ready, asked=first, now=NOW + 20)) == first | {"steady": 0}


def test_a_domain_that_took_one_back_is_avoided_until_one_is_ready_there() -> None:
    zones, asked = Zones(), {"spot-a": 1, "spot-b": 1, "spot-c": 1}
    zones.observe(mixed(spot("1", "a"), spot("2", "b"), spot("3", "c"), asked=asked))
    zones.observe(mixed(spot("2", "b"), spot("3", "c"), asked=asked))
    assert zones.preempted == {"a"}
    placed = dict.fromkeys(asked, 0)
    zones.fill(placed, ZONES, 3)
    assert placed == {"spot-a": 0, "spot-b": 2, "spot-c": 1}
    zones.observe(mixed(spot("4", "a"), spot("2", "b"), spot("3", "c"), asked=asked))
    assert zones.preempted == set()


def test_one_that_was_asked_to_go_tells_nothing_and_the_last_two_domains_are_kept() -> None:
    zones = Zones()
    every = [spot("1", "a"), spot("2", "b"), spot("3", "c")]
    zones.observe(mixed(*every, asked={"spot-a": 1, "spot-b": 1, "spot-c": 1}))
    zones.observe(mixed(*every[1:], asked={"spot-a": 0, "spot-b": 1, "spot-c": 1}))
    assert zones.preempted == set()
    zones.observe(mixed(asked={"spot-a": 0, "spot-b": 1, "spot-c": 1}))
    assert zones.preempted == set(), "with fewer than two left all are tried again"


def test_spot_and_on_demand_together_stay_within_the_maximum() -> None:
    sky = SkyServe(setup(minimum=3, maximum=4))
    assert sum(sky.decide(mixed(asked={"steady": 3})).values()) == 4

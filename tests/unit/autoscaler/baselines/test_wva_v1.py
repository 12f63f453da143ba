"""llm-d's first saturation scaler, held to the vectors of its own tests, and as a policy."""

import pytest

from pointsman_autoscaler.baselines.variants import Replica, Variant
from pointsman_autoscaler.baselines.wva_v1 import Saturation, Thresholds, WvaV1, saturation, targets
from pointsman_autoscaler.view import Flavour, Pod, View
from tests.support.baseline_views import NOW, flavour, gateway, pod, pods, sample, setup, view

# llm-d/llm-d-workload-variant-autoscaler, internal/saturationv1/analyzer_test.go, each case named as there.
DEFAULTS = Thresholds()


def replicas(*of: tuple[float, float]) -> list[Replica]:
    return [Replica(cache, waiting) for cache, waiting in of]


GROWTH = {
    "scale up due to low KV spare Saturation": (((0.75, 2), (0.76, 2)), True),
    "scale up due to low queue spare Saturation": (((0.50, 3), (0.50, 3)), True),
    "no scale up - healthy Saturation": (((0.50, 1), (0.50, 1)), False),
}
SHRINKING = {
    "scale down safe - adequate headroom": (((0.20, 1), (0.30, 1), (0.25, 1)), True),
    "scale down unsafe - insufficient headroom": (((0.70, 2), (0.75, 2)), False),
    "scale down unsafe - only one non-saturated replica": (((0.50, 2),), False),
    "all that two have fits one": (((0.30, 1), (0.30, 1)), True),
    "their caches would not": (((0.36, 0), (0.36, 0)), False),
    "their queues would not": (((0.10, 1.5), (0.10, 1.5)), False),
}


@pytest.mark.parametrize(("seen", "want"), GROWTH.values(), ids=GROWTH.keys())
def test_growth(seen: tuple[tuple[float, float], ...], want: bool) -> None:
    assert saturation(replicas(*seen), DEFAULTS).should_grow is want


@pytest.mark.parametrize(("seen", "want"), SHRINKING.values(), ids=SHRINKING.keys())
def test_shrinking(seen: tuple[tuple[float, float], ...], want: bool) -> None:
    assert saturation(replicas(*seen), DEFAULTS).may_shrink is want


def test_empty_metrics() -> None:
    assert saturation([], DEFAULTS) == Saturation(0, 0, 0.0, 0.0, should_grow=False, may_shrink=False)


def test_saturated_replicas() -> None:
    found = saturation(replicas((0.85, 2), (0.50, 6), (0.60, 2)), DEFAULTS)
    assert (found.replicas, found.unsaturated) == (3, 1)


def test_all_saturated() -> None:
    found = saturation(replicas((0.85, 2), (0.50, 6), (0.90, 7)), DEFAULTS)
    assert found == Saturation(3, 0, 0.0, 0.0, should_grow=True, may_shrink=False)


GROW = Saturation(6, 6, 0.05, 1.0, should_grow=True, may_shrink=False)
SHRINK = Saturation(6, 6, 0.6, 4.5, should_grow=False, may_shrink=True)


def three(pending: int = 0) -> list[Variant]:
    return [
        Variant("expensive", 20, (), 2 + pending, pending),
        Variant("cheap", 5, (), 2, 0),
        Variant("medium", 15, (), 2, 0),
    ]


def test_scale_up_cheapest() -> None:
    assert targets(GROW, three(), {}) == {"expensive": 2, "cheap": 3, "medium": 2}


def test_scale_down_most_expensive() -> None:
    assert targets(SHRINK, three(), {}) == {"expensive": 1, "cheap": 2, "medium": 2}


def test_model_level_transition_blocking() -> None:
    assert targets(GROW, three(), {"expensive": 4}) == {"expensive": 4, "cheap": 2, "medium": 2}


def test_pending_replicas_block_scaling() -> None:
    assert targets(GROW, three(pending=1), {}) == {"expensive": 3, "cheap": 2, "medium": 2}


def two(seen: list[Pod], asked: dict[str, int], now: float = NOW, *more: Flavour) -> View:
    known = (flavour("h100", 4.0), flavour("l40s", 1.0), *more)
    return view(*known, pods=seen, gateway=gateway(now, in_flight=5), asked=asked, now=now)


def test_the_peaks_of_a_minute_count() -> None:
    policy = WvaV1(setup())
    burst = pod(
        "a", sample(NOW - 90, 1, cache=0.9), sample(NOW - 50, 1, cache=0.78), sample(NOW, 1, cache=0.2)
    )
    calm = pod("b", sample(NOW - 90, 1, cache=0.9), sample(NOW, 1, cache=0.2))
    assert policy.decide(view(pods=[calm, calm], gateway=gateway(in_flight=1), asked=2)) == {"h100": 2}
    assert WvaV1(setup()).decide(view(pods=[burst, burst], gateway=gateway(in_flight=1), asked=2)) == {
        "h100": 3
    }


def test_one_more_and_then_none_until_it_is_there() -> None:
    policy = WvaV1(setup())
    busy = pods(2, 1, cache=0.78)
    assert policy.decide(two(busy, {"h100": 2, "l40s": 0})) == {"h100": 2, "l40s": 1}
    later = pods(2, 1, cache=0.78, now=NOW + 15)
    assert policy.decide(two(later, {"h100": 2, "l40s": 1}, NOW + 15)) == {"h100": 2, "l40s": 1}


def test_a_full_flavour_leaves_growth_to_the_next() -> None:
    known = (flavour("h100", 4.0), flavour("l40s", 1.0, maximum=1))
    seen = [*pods(2, 1, cache=0.78), *pods(1, 1, of="l40s", cache=0.78)]
    asked = {"h100": 2, "l40s": 1}
    full = view(*known, pods=seen, gateway=gateway(in_flight=5), asked=asked)
    assert WvaV1(setup()).decide(full) == {"h100": 3, "l40s": 1}


def test_a_reduction_is_carried_out_after_its_window() -> None:
    policy, counts = WvaV1(setup()), []
    policy.decide(two(pods(3, 1, cache=0.5), {"h100": 3, "l40s": 0}))
    for later in (15, 240, 255):
        now = NOW + later
        counts.append(policy.decide(two(pods(3, 1, cache=0.1, now=now), {"h100": 3, "l40s": 0}, now))["h100"])
    assert counts == [3, 2, 2]


def test_without_metrics_it_stays() -> None:
    assert WvaV1(setup()).decide(two(pods(2, None), {"h100": 2, "l40s": 1})) == {"h100": 2, "l40s": 1}


def test_zero_after_ten_idle_minutes_and_one_of_the_first_when_requests_are_held() -> None:
    policy, counts = WvaV1(setup(minimum=0, idle=600)), []
    for later in (0, 600, 601):
        now = NOW + later
        one = view(
            pods=pods(1, 0, cache=0.0, now=now), gateway=gateway(now, in_flight=float(later == 0)), now=now
        )
        counts.append(policy.decide(one)["h100"])
    assert counts == [1, 1, 0]
    held = view(gateway=gateway(NOW + 700, held=2), asked=0, now=NOW + 700)
    assert policy.decide(held) == {"h100": 1}

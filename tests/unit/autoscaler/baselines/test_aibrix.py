"""AIBrix' APA, held to the vectors of its own tests, and as a policy."""

import pytest

from pointsman_autoscaler.baselines.aibrix import Aibrix, Rates
from tests.support.baseline_views import NOW, bare, pods, setup, view

# vllm-project/aibrix, pkg/controller/podautoscaler/algorithm/apa_test.go, named as there: replicas, metric,
# rate up, rate down, expected; the target is 30.
VECTORS = {
    "basic_scale_up": (2, 45, 2, 2, 3),
    "scale_up_upto_ceiling": (2, 35, 2, 2, 3),
    "scale_up_upto_max_scale_up": (2, 90, 2, 2, 4),
    "scale_up_upto_max_scale_up_ceiling": (2, 90, 2.5, 2, 5),
    "basic_scale_down": (6, 20, 2, 2, 4),
    "scale_down_upto_ceiling": (6, 18, 2, 2, 4),
    "scale_down_upto_max_scale_down": (6, 10, 2, 2, 3),
    "scale_down_upto_max_scale_down_floor": (6, 5, 2, 2.5, 2),
    "no_scaling_as_within_up_tolerance": (2, 33, 2, 2, 2),
    "no_scaling_as_within_down_tolerance": (2, 27, 2, 2, 2),
}


@pytest.mark.parametrize(("current", "used", "up", "down", "want"), VECTORS.values(), ids=VECTORS.keys())
def test_one_recommendation(current: int, used: float, up: float, down: float, want: int) -> None:
    assert Rates(up, down).desired(current, used, 30) == want


def test_a_target_of_zero_changes_nothing() -> None:
    """division_by_zero."""
    assert Rates(1000, 2).desired(1, 10, 0) == 1


def test_the_metric_is_the_mean_of_three_minutes() -> None:
    """Seven in each is the target: after 90 s of 7 and 90 s of 14 the mean is 10.5."""
    aibrix, count = Aibrix(setup()), 0
    for later in range(0, 180, 10):
        now = NOW + later
        load = 7 if later < 90 else 14
        count = aibrix.decide(view(bare(), pods=pods(4, load, now=now), asked=4, now=now))["h100"]
    assert count == 6


def test_a_reduction_takes_the_least_of_its_window() -> None:
    """As shipped: stabilizeRecommendation selects the minimum on the way down."""
    aibrix = Aibrix(setup(), window_seconds=10)
    counts = []
    for later, load in ((0, 3.5), (10, 7), (20, 5.25)):
        now = NOW + later
        counts.append(aibrix.decide(view(bare(), pods=pods(8, load, now=now), asked=8, now=now))["h100"])
    assert counts == [4, 8, 4]


def test_without_metrics_it_stays() -> None:
    assert Aibrix(setup()).decide(view(bare(), pods=pods(3, None), asked=3)) == {"h100": 3}
    assert Aibrix(setup()).decide(view(bare(), asked=0)) == {"h100": 1}


def test_the_cache_as_metric() -> None:
    aibrix = Aibrix(setup(), target=0.5, metric="cache")
    assert aibrix.decide(view(bare(), pods=pods(2, 1, cache=0.75), asked=2)) == {"h100": 3}
    assert aibrix.name == "aibrix-cache"

"""KEDA: waking, sleeping, and the HPA between."""

import pytest

from pointsman_autoscaler.baselines.keda import Activity, Keda
from tests.support.baseline_views import NOW, bare, gateway, pods, setup, view

# kedacore/keda, pkg/scaling/executor/scale_scaledobjects_test.go, each case named as there.
EXECUTOR = {
    "ScaleToMinReplicasWhenNotActive": (10, False, 0, True, 0),
    "ScaleToMinReplicasFromLowerInitialReplicaCount": (1, False, 5, False, 5),
    "ScaleFromMinReplicasWhenActive": (0, True, 0, True, 1),
    "ScaleToIdleReplicasWhenNotActive": (10, False, 5, True, 0),
    "ScaleFromIdleToMinReplicasWhenActive": (0, True, 5, True, 5),
}


@pytest.mark.parametrize(
    ("current", "active", "least", "zero", "want"), EXECUTOR.values(), ids=EXECUTOR.keys()
)
def test_between_zero_and_one(current: int, active: bool, least: int, zero: bool, want: int) -> None:
    assert Activity().replicas(NOW, current, active, least, zero) == want


@pytest.mark.parametrize(("later", "want"), [(0, None), (300, None), (301, 0)])
def test_it_sleeps_after_the_cooldown_and_not_at_its_end(later: float, want: int | None) -> None:
    activity = Activity()
    assert activity.replicas(NOW, 3, True, 1, True) is None
    assert activity.replicas(NOW + later, 3, False, 1, True) == want


def test_requests_that_are_held_wake_it() -> None:
    keda = Keda(setup(minimum=0, idle=300))
    assert keda.decide(view(bare(), gateway=gateway(held=1), asked=0)) == {"h100": 1}


def test_nothing_to_do_keeps_it_asleep() -> None:
    keda = Keda(setup(minimum=0, idle=300))
    assert keda.decide(view(bare(), gateway=gateway(in_flight=0), asked=0)) == {"h100": 0}


@pytest.mark.parametrize(
    ("in_flight", "asked", "want"), [(16, 2, 2), (17.6, 2, 2), (17.7, 2, 3), (32, 2, 4), (800, 2, 6)]
)
def test_the_total_is_shared_by_the_replicas_that_are_asked(in_flight: float, asked: int, want: int) -> None:
    """Eight in each; of many more, four at once."""
    seen = view(bare(), pods=pods(2, None), gateway=gateway(in_flight=in_flight), asked=asked)
    assert Keda(setup()).decide(seen) == {"h100": want}


def test_without_a_gateway_the_engines_are_summed() -> None:
    assert Keda(setup()).decide(view(bare(), pods=pods(2, 16), asked=2)) == {"h100": 4}


def test_an_outage_of_metrics_looks_like_no_load() -> None:
    """As shipped: ignoreNullValues makes zero of an empty answer, so it shrinks, and sleeps in the end."""
    keda, counts = Keda(setup(minimum=0, idle=300)), []
    keda.decide(view(bare(), pods=pods(4, None), gateway=gateway(in_flight=32), asked=4))
    for later in (30, 290, 330):
        counts.append(keda.decide(view(bare(), pods=pods(4, None), asked=4, now=NOW + later))["h100"])
    assert counts == [4, 4, 0]


def test_it_stays_where_an_empty_answer_is_an_error() -> None:
    keda = Keda(setup(), ignore_null_values=False)
    assert keda.decide(view(bare(), pods=pods(4, None), asked=4)) == {"h100": 4}


def test_without_leave_to_sleep_the_minimum_stays() -> None:
    keda = Keda(setup(minimum=2))
    for later in range(0, 1200, 30):
        now = NOW + later
        asked = keda.decide(view(bare(), pods=pods(3, None), gateway=gateway(now, 0), asked=3, now=now))
    assert asked == {"h100": 2}


def test_it_wakes_at_its_next_poll() -> None:
    keda, counts = Keda(setup(minimum=0, idle=300)), []
    for later, held in ((0, 0), (15, 2), (30, 2)):
        now = NOW + later
        counts.append(keda.decide(view(bare(), gateway=gateway(now, held=held), asked=0, now=now))["h100"])
    assert counts == [0, 0, 1]

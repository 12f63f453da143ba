"""Knative's autoscaler, held to the vectors of its own tests, and as a policy."""

import pytest

from pointsman_autoscaler.baselines.kpa import Kpa, Panic
from pointsman_autoscaler.view import GatewaySample
from tests.support.baseline_views import NOW, bare, gateway, pods, setup, view


def panic(up: float = 10, down: float = 10, delay: float = 0, threshold: float = 2) -> Panic:
    """As newTestAutoscaler has it: rates of ten, a minute's window."""
    return Panic(60.0, threshold, up, down, delay)


# knative/serving, pkg/autoscaler/scaling/autoscaler_test.go: TestAutoscalerScale and others, named as there.
# Target, stable and panic concurrency, ready pods, desired.
SINGLE = {
    "NoDataAtZeroNoAutoscale": (10, 0, 0, 1, 0),
    "StableModeUnlimitedTBC": (181, 21, 26, 1, 1),
    "StableModeNoChange": (10, 50, 50, 1, 5),
    "StableModeNoChangeAlreadyScaled": (10, 50, 50, 5, 5),
    "PanicModeDoublePodCount": (10, 50, 100, 1, 10),
    "RateLimitScaleUp": (10, 1000, 1001, 1, 10),
    "RateLimitScaleUp again": (10, 1000, 1001, 10, 100),
    "RateLimitScaleDown": (10, 1, 1, 100, 10),
    "RateLimitScaleDown again": (10, 1, 1, 10, 1),
    "UseOnePodAsMinimumIfEndpointsNotFound": (10, 1000, 888, 0, 10),
    "StableModeDecrease": (10, 50, 50, 8, 5),
}


@pytest.mark.parametrize(("target", "stable", "burst", "ready", "want"), SINGLE.values(), ids=SINGLE.keys())
def test_one_decision(target: float, stable: float, burst: float, ready: int, want: int) -> None:
    assert panic().desired(NOW, stable, burst, target, ready) == want


def test_small_rates_still_move_by_one() -> None:
    assert panic(up=1.1).desired(NOW, 3, 3.1, 1, 2) == 3
    assert panic(down=1.1).desired(NOW, 1, 1, 10, 100) == 90


def test_in_panic_the_larger_of_both_counts() -> None:
    for stable, burst, want in ((50, 30, 50), (20, 30, 30)):
        one = panic()
        one.panic_since_seconds, one.most_in_panic = NOW - 5, 5
        assert one.desired(NOW, stable, burst, 1, 5) == want


def test_panic_ends_a_window_after_a_slow_increase() -> None:
    """TestAutoscalerUnpanicAfterSlowIncrease."""
    one = panic()
    assert one.desired(NOW, 11, 25, 1, 10) == 25
    assert one.panic_since_seconds == NOW
    assert one.desired(NOW + 30, 30, 41, 1, 40) == 41
    assert one.panic_since_seconds == NOW
    assert one.desired(NOW + 62, 50, 56, 1, 55) == 50
    assert one.panic_since_seconds is None


def test_panic_is_extended_while_load_surges() -> None:
    """TestAutoscalerExtendPanicWindow."""
    one = panic()
    one.desired(NOW, 11, 25, 1, 10)
    assert one.desired(NOW + 30, 30, 80, 1, 40) == 80
    assert one.panic_since_seconds == NOW + 30


def test_it_never_shrinks_in_panic_and_does_after_it() -> None:
    """TestAutoscalerPanicThenUnPanicScaleDown."""
    one = panic()
    one.desired(NOW - 1, 100, 100, 10, 1)
    assert one.desired(NOW, 100, 1000, 10, 10) == 100
    assert one.desired(NOW + 30, 1, 1, 10, 10) == 100
    assert one.desired(NOW + 61, 1, 1, 10, 10) == 1


def test_an_exponential_surge_is_followed() -> None:
    """TestAutoscalerPanicModeExponentialTrackAndStabilize."""
    one, ready = panic(), 1
    for step, load in enumerate((6, 36, 216, 1296, 1296)):
        ready = one.desired(NOW + step, load, load, 1, ready)
        assert ready == load


def test_the_delay_keeps_the_greatest_of_its_window() -> None:
    """TestAutoscalerScaleDownDelay."""
    minute = 60
    one = panic(delay=300, threshold=100)
    simple = ((2, 40, 4), (300, 0, 4), (302, 0, 0))
    gradual = ((9, 40, 4), (10, 30, 4), (11, 0, 4), (14, 0, 3), (15, 0, 0))
    for at, load, want in (*simple, *((at * minute, load, want) for at, load, want in gradual)):
        assert one.desired(NOW + at, load, load, 10, 1) == want, at


def _samples(now: float, *loads: float) -> list[GatewaySample]:
    """One a second, the last one now."""
    return [GatewaySample(now - len(loads) + 1 + at, in_flight=load) for at, load in enumerate(loads)]


def test_its_windows_are_a_minute_and_a_tenth_of_it() -> None:
    """Seven of ten slots: 54 s of seven and 6 s of 70 make 13.3 on the minute and 70 in the burst."""
    seen = view(bare(), pods=pods(1, None), gateway=_samples(NOW, *[7.0] * 54, *[70.0] * 6))
    assert Kpa(setup()).decide(seen) == {"h100": 10}
    calm = view(bare(), pods=pods(8, None), gateway=_samples(NOW, *[7.0] * 54, *[70.0] * 6))
    assert Kpa(setup()).decide(calm) == {"h100": 4}, "halved at most, and no panic with eight"


def test_sparse_samples_give_the_burst_the_newest() -> None:
    seen = view(bare(), pods=pods(1, None), gateway=gateway(NOW - 10, in_flight=70))
    assert Kpa(setup()).decide(seen) == {"h100": 10}


def test_without_data_it_stays() -> None:
    assert Kpa(setup()).decide(view(bare(), pods=pods(3, None), asked=3)) == {"h100": 3}
    assert Kpa(setup()).decide(view(bare(), pods=pods(3, None), gateway=gateway(), asked=3)) == {"h100": 3}


def test_zero_comes_after_the_window_and_the_grace() -> None:
    kpa, counts = Kpa(setup(minimum=0, idle=60)), []
    for later in (0, 28, 30):
        now = NOW + later
        one = view(bare(), pods=pods(1, None), gateway=_samples(now, *[0.0] * 61), asked=1, now=now)
        counts.append(kpa.decide(one)["h100"])
    assert counts == [1, 1, 0]
    held = view(bare(), gateway=gateway(NOW + 40, held=3), asked=0, now=NOW + 40)
    assert kpa.decide(held) == {"h100": 1}

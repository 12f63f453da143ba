"""What is foreseen of loads whose future is known."""

import math
import random
import time
from collections.abc import Callable, Iterator

import pytest

from pointsman_autoscaler.forecast import Forecast, Forecaster

DAY = 86_400.0
STEP = 15.0


def feed(
    forecaster: Forecaster,
    load: Callable[[float], float | None],
    begin: float,
    end: float,
    step: float = STEP,
) -> Iterator[float]:
    at = begin
    while at < end:
        at += step
        forecaster.observe(at, load(at))
        yield at


def fed(load: Callable[[float], float | None], seconds: float, step: float = STEP) -> Forecaster:
    forecaster = Forecaster()
    forecaster.forecast(180.0)
    for _ in feed(forecaster, load, 0.0, seconds, step):
        pass
    return forecaster


def test_nothing_seen_is_nothing_foreseen() -> None:
    assert Forecaster().forecast(120.0).mean == 0.0


def test_a_steady_load_goes_on() -> None:
    ahead = fed(lambda _: 7.0, 3600.0).forecast(180.0)
    assert ahead.mean == pytest.approx(7.0)
    assert ahead.quantile(0.5) == pytest.approx(7.0, rel=0.05)


def test_persistence_weighs_most_before_anything_is_scored() -> None:
    weights = fed(lambda _: 7.0, 30.0).forecast(180.0).weights
    assert weights["last"] == max(weights.values()) == pytest.approx(0.5)
    assert sum(weights.values()) == pytest.approx(1.0)


def test_noise_is_smoothed_by_those_who_smooth() -> None:
    luck = random.Random(1)
    weights = fed(lambda _: 10.0 * luck.uniform(0.4, 1.6), 6 * 3600.0, 60.0).forecast(180.0).weights
    assert weights["ewma"] > weights["last"]


def test_a_ramp_is_followed_beyond_the_last_value() -> None:
    forecaster = fed(lambda at: 10.0 + at / 60.0, 2 * 3600.0)
    last = 10.0 + 120.0
    assert last < forecaster.forecast(180.0).mean <= last + 6.0


def test_a_day_that_repeats_is_learned_and_beats_persistence() -> None:
    def load(at: float) -> float:
        return 20.0 + 15.0 * math.sin(at / DAY * 2 * math.pi) if at % DAY < DAY / 2 else 8.0

    forecaster = fed(load, 3 * DAY, 60.0)
    wrong, persistent = 0.0, 0.0
    begin = 3 * DAY
    for at in feed(forecaster, load, begin, begin + DAY, 60.0):
        if at % 600 == 0:
            foreseen = forecaster.forecast(1800.0).mean
            wrong += abs(foreseen - load(at + 1950.0))
            persistent += abs(load(at) - load(at + 1950.0))
    assert wrong < 0.7 * persistent


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_quantiles_hold_as_often_as_they_say(share: float) -> None:
    """Against the mean of five minutes, of a load that walks and arrives unevenly."""
    luck = random.Random(3)
    minutes: list[float] = []
    level = 20.0
    for _ in range(3 * 1440):
        level *= math.exp(luck.gauss(0.0, 0.02)) * (20.0 / level) ** 0.01
        minutes.append(max(0.1, level + luck.gauss(0.0, 1.0)))
    forecaster = Forecaster()
    forecaster.forecast(180.0)
    kept, asked = 0, 0
    for minute, rate in enumerate(minutes[:-10]):
        forecaster.observe(60.0 * minute + 30.0, rate)
        if minute > 600:
            came = sum(minutes[minute + 3 : minute + 8]) / 5
            asked += 1
            kept += came <= forecaster.forecast(180.0).quantile(share)
    assert kept / asked == pytest.approx(share, abs=0.03 if share < 0.99 else 0.008)


def test_a_step_is_not_expected_every_hour_from_then_on() -> None:
    ahead = fed(lambda at: 10.0 if at < 3600.0 else 100.0, 3 * 3600.0).forecast(180.0)
    assert ahead.mean == pytest.approx(100.0, rel=0.02)
    assert ahead.quantile(0.99) < 140.0


def test_a_rate_counts_for_as_long_as_it_lasted() -> None:
    """Looks are not evenly apart: one request in the second before a look is no flood."""
    forecaster = Forecaster()
    for at, rate, seconds in [(15.0, 0.0, 15.0), (30.0, 0.0, 15.0), (44.0, 0.0, 14.0), (45.0, 1.0, 1.0)]:
        forecaster.observe(at, rate, seconds)
    assert forecaster.forecast(120.0).mean == pytest.approx(1 / 45)


def test_gaps_are_no_load_of_zero() -> None:
    def load(at: float) -> float | None:
        return None if 3600.0 < at < 7200.0 else 9.0

    forecaster = fed(load, 7300.0)
    ahead = forecaster.forecast(180.0)
    assert ahead.mean == pytest.approx(9.0)
    assert ahead.quantile(0.99) < 11.0


def test_a_night_without_load_teaches_no_errors_and_is_still_seen() -> None:
    def load(at: float) -> float:
        return 0.0 if at % DAY < DAY / 3 else 9.0

    forecaster = fed(load, 2 * DAY + DAY / 4, 60.0)
    assert forecaster.forecast(180.0).mean == pytest.approx(0.0, abs=1e-6)
    morning = fed(load, 2 * DAY + DAY / 2, 60.0).forecast(180.0)
    assert morning.quantile(0.99) < 11.0


def test_an_hour_that_is_busy_every_day_is_known_after_three_days() -> None:
    def load(at: float) -> float:
        return 5.0 if 9 * 3600.0 <= at % DAY < 17 * 3600.0 else 0.0

    forecaster = fed(load, 2 * DAY, 60.0)
    assert forecaster.busy_share(2 * DAY + 10 * 3600.0) is None
    for _ in feed(forecaster, load, 2 * DAY, 4 * DAY, 60.0):
        pass
    assert forecaster.busy_share(4 * DAY + 10 * 3600.0) == 1.0
    assert forecaster.busy_share(4 * DAY + 3 * 3600.0) == 0.0


def test_a_clock_that_is_set_back_begins_the_hours_anew_and_goes_on() -> None:
    forecaster = fed(lambda _: 9.0, 2 * 3600.0)
    for at in range(0, 600, 15):
        forecaster.observe(float(at), 5.0)
    ahead = forecaster.forecast(180.0)
    assert 4.0 < ahead.mean < 9.0
    assert forecaster.busy_share(0.0) is None


def test_a_clock_that_jumps_ahead_is_a_gap() -> None:
    forecaster = fed(lambda _: 9.0, 2 * 3600.0)
    forecaster.observe(30 * DAY, 4.0)
    forecaster.observe(30 * DAY + 60.0, 4.0)
    assert forecaster.forecast(180.0).mean == pytest.approx(4.0)


def test_memory_does_not_grow_with_time() -> None:
    forecaster = fed(lambda _: 9.0, 2 * DAY, 60.0)
    forecaster.forecast(600.0)
    forecaster.forecast(1200.0)
    forecaster.forecast(2400.0)
    sizes = [len(track._residuals) for track in forecaster._tracks.values()]
    for _ in feed(forecaster, lambda _: 9.0, 2 * DAY, 4 * DAY, 60.0):
        pass
    assert max(sizes) <= 1440
    assert max(len(track._residuals) for track in forecaster._tracks.values()) == 1440
    assert max(len(track._waiting) for track in forecaster._tracks.values()) <= 65
    assert len(forecaster._tracks) == 3


def test_a_look_takes_less_than_200_microseconds() -> None:
    forecaster = fed(lambda at: 9.0 + at % 7, DAY / 4)
    best = math.inf
    for round_ in range(5):
        began = time.process_time()
        begin = DAY / 4 + round_ * 3000.0
        for _ in feed(forecaster, lambda at: 9.0 + at % 7, begin, begin + 3000.0):
            forecaster.forecast(180.0).quantile(0.99)
        best = min(best, time.process_time() - began)
    assert best / 200 < 200e-6


def test_the_probability_of_a_quantile_is_its_share() -> None:
    ahead = Forecast(10.0, {0.05: 8.0, 0.5: 10.0, 0.95: 13.0, 0.99: 16.0})
    for share in (0.05, 0.2, 0.5, 0.9, 0.95, 0.97, 0.99):
        assert ahead.probability_below(ahead.quantile(share)) == pytest.approx(share, abs=1e-6)
    assert ahead.quantile(0.999) > 16.0
    assert ahead.raised_to(12.0).quantile(0.95) == pytest.approx(15.0)
    assert ahead.raised_to(9.0) is ahead

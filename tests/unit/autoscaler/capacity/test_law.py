"""The law that is learned from windows: where it goes, and what it does not believe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity.law import LawFit, Look

DENSE = StepTime(fixed=0.014, per_token=4.5e-5, per_sequence=4e-5, per_cached_token=4e-8, per_pair=3e-9)
MIXTURE = replace(DENSE, fixed=0.004, experts=0.005, missed=0.97)
# What a truth may be beside its prior, coefficient by coefficient.
TRUTHS = {
    "as placement says": (1.0, 1.0, 1.0, 1.0),
    "slower weights": (1.3, 1.0, 1.0, 1.0),
    "faster prompts, slower cache": (1.0, 0.7, 1.0, 1.3),
    "twice as slow in all": (2.0, 2.0, 2.0, 2.0),
    "half as slow in all": (0.5, 0.5, 0.5, 0.5),
}


def _multiplied(law: StepTime, by: tuple[float, float, float, float]) -> StepTime:
    return replace(
        law,
        fixed=law.fixed * by[0],
        per_token=law.per_token * by[1],
        per_pair=law.per_pair * by[1],
        per_sequence=law.per_sequence * by[2],
        per_cached_token=law.per_cached_token * by[3],
        experts=law.experts * by[0],
    )


def _look(truth: StepTime, running: float, prompt: float, answer: float, noise: float = 1.0) -> Look:
    prompts = running / answer * prompt
    cached = running * (prompt + answer / 2)
    seconds = truth.seconds(running + prompts, running, cached) + truth.per_pair * prompts * prompt / 2
    if truth.experts:
        # A step with a prompt in it reads the experts that the prompt touches, others only those of answers.
        share, untouched = min(1.0, prompts / prompt), truth.missed**running
        seconds -= truth.experts * (1 - truth.missed ** (running + prompts))
        seconds += truth.experts * (1 - untouched + share * untouched * (1 - truth.missed**prompt))
    return Look(running, prompts, cached, prompt, prompt / 2, seconds * noise, 10_000.0)


def _varied(truth: StepTime, count: int, noise: float = 0.03, seed: int = 1) -> list[Look]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        running, prompt, answer = (float(each) for each in rng.uniform((2, 200, 80), (60, 3000, 800)))
        found.append(_look(truth, running, prompt, answer, float(rng.lognormal(0, noise))))
    return found


def _error(fit: LawFit, truth: StepTime) -> float:
    """The worst over loads that were not seen by themselves."""
    places = [(5.0, 500.0, 200.0), (20.0, 1000.0, 200.0), (50.0, 2500.0, 300.0), (40.0, 300.0, 700.0)]
    return max(abs(_look(fit.law, *place).seconds / _look(truth, *place).seconds - 1) for place in places)


@pytest.mark.parametrize("prior", [DENSE, MIXTURE], ids=["dense", "mixture"])
@pytest.mark.parametrize("name", TRUTHS)
def test_it_comes_to_the_truth(name: str, prior: StepTime) -> None:
    truth = _multiplied(prior, TRUTHS[name])
    fit = LawFit(prior)
    for look in _varied(truth, 200):
        fit.learn([look])
    assert _error(fit, truth) < 0.03


def test_one_load_alone_says_nothing_about_others() -> None:
    truth = _multiplied(DENSE, (1.0, 1.0, 1.0, 1.5))
    fit = LawFit(DENSE)
    for _ in range(500):
        fit.learn([_look(truth, 20, 1000, 200)])
    # What was seen is known; no single coefficient runs away to explain it.
    seen = _look(truth, 20, 1000, 200)
    assert _look(fit.law, 20, 1000, 200).seconds == pytest.approx(seen.seconds, rel=0.01)
    assert np.all(np.abs(fit.multiples - 1) < 0.35)


def test_loads_that_hardly_differ_say_little_about_coefficients() -> None:
    fit, rng = LawFit(DENSE), np.random.default_rng(7)
    for _ in range(500):
        running, noise = float(rng.uniform(19.9, 20.1)), float(rng.lognormal(0, 0.05))
        fit.learn([_look(DENSE, running, 1000, 200, noise)])
    assert np.all(np.abs(fit.multiples - 1) < 0.35)
    assert _error(fit, DENSE) < 0.05


def test_a_long_night_does_not_take_away_what_the_day_taught() -> None:
    truth = _multiplied(DENSE, (1.2, 0.8, 1.0, 1.3))
    fit = LawFit(DENSE)
    for look in _varied(truth, 200):
        fit.learn([look])
    for _ in range(2000):
        fit.learn([_look(truth, 2, 1000, 200)])
    assert _error(fit, truth) < 0.03


def test_a_truth_that_changes_is_followed() -> None:
    fit = LawFit(DENSE)
    for look in _varied(DENSE, 200):
        fit.learn([look])
    slower = _multiplied(DENSE, (1.4, 1.4, 1.4, 1.4))
    for look in _varied(slower, 300, seed=2):
        fit.learn([look])
    assert _error(fit, slower) < 0.04


def test_windows_that_are_far_off_hardly_count() -> None:
    fit, clean = LawFit(DENSE), LawFit(DENSE)
    looks = _varied(DENSE, 200)
    odd = [
        replace(look, seconds=look.seconds * 2) if index % 5 == 2 else look
        for index, look in enumerate(looks)
    ]
    for look, other in zip(odd, looks, strict=True):
        fit.learn([look])
        clean.learn([other])
    assert _error(fit, DENSE) < _error(clean, DENSE) + 0.03


def test_after_slow_windows_it_recovers() -> None:
    fit = LawFit(DENSE)
    for look in _varied(_multiplied(DENSE, (10.0, 10.0, 10.0, 10.0)), 20):
        fit.learn([look])
    assert _error(fit, DENSE) > 0.5
    for look in _varied(DENSE, 200, seed=3):
        fit.learn([look])
    assert _error(fit, DENSE) < 0.05


def test_what_is_known_grows_where_it_was_seen() -> None:
    fit = LawFit(DENSE)
    near, far = _look(DENSE, 20, 1000, 200), _look(DENSE, 200, 100, 8000)
    assert fit.confidence(near) == pytest.approx(0.0, abs=1e-9)
    for _ in range(50):
        fit.learn([near])
    assert fit.confidence(near) > 0.8
    assert fit.confidence(far) < fit.confidence(near)


def test_nothing_odd_is_learned() -> None:
    fit = LawFit(DENSE)
    usual = _look(DENSE, 20, 1000, 200)
    nan, inf = float("nan"), float("inf")
    for change in (
        {"seconds": nan},
        {"seconds": 0.0},
        {"seconds": inf},
        {"running": nan},
        {"cached_tokens": -1.0},
    ):
        fit.learn([replace(usual, **change)])
    assert fit.law == DENSE

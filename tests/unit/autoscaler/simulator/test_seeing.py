"""What a policy sees: late, now and then not at all, and never what has not happened."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import MONDAY, Blackout, Controls
from pointsman_autoscaler.view import EngineSample, View
from tests.support.simulated import CALM, Told, arrivals, flavour, random_arrivals, scenario

_LOAD = random_arrivals(2.0, 1500.0)


def _views(controls: Controls, replicas: int = 1) -> list[View]:
    told = Told(lambda now: {"h100": replicas}, MONDAY)
    simulate(scenario(_LOAD, controls=controls), told, 1)
    return told.views


def _samples(views: list[View]) -> list[EngineSample]:
    """All that was ever seen of the first replica."""
    return list({each.at_seconds: each for view in views for each in view.pods[0].samples}.values())


@pytest.mark.parametrize("delay", [0.0, 7.0, 40.0])
def test_samples_are_seen_after_their_delay(delay: float) -> None:
    for view in _views(replace(CALM, scrape_delay_seconds=delay))[4:]:
        youngest = view.now_seconds - view.pods[0].samples[-1].at_seconds
        assert delay <= youngest < delay + 15.0
        assert delay <= view.now_seconds - view.gateway[-1].at_seconds < delay + 15.0 + 1e-6


def test_histories_are_whole_in_order_and_ten_minutes_long() -> None:
    view = _views(CALM)[-1]
    for samples in (view.pods[0].samples, view.gateway):
        at = [sample.at_seconds for sample in samples]
        assert at == sorted(at)
        assert 600.0 <= at[-1] - at[0] < 660.0
        assert max(later - earlier for earlier, later in pairwise(at)) < 15.01


def test_some_scrapes_fail_as_often_as_stated() -> None:
    whole, holes = (len(_samples(_views(replace(CALM, missing_scrapes=share)))) for share in (0.0, 0.3))
    assert holes / whole == pytest.approx(0.7, abs=0.12)


def test_a_blackout_leaves_no_sample_of_its_time() -> None:
    views = _views(replace(CALM, blackouts=(Blackout(300.0, 600.0),)))
    at = [sample.at_seconds - MONDAY for sample in _samples(views)]
    assert not [each for each in at if 300 <= each < 600]
    assert [each for each in at if each < 300]
    assert [each for each in at if each >= 600]
    # The totals went on.
    assert views[-1].gateway[-1].requests_total == pytest.approx(len(_LOAD), rel=0.02)


def test_half_of_the_pods_may_be_dark() -> None:
    told = Told(lambda now: {"h100": 40}, MONDAY)
    controls = replace(CALM, blackouts=(Blackout(0.0, 1e9, share=0.5),))
    simulate(scenario(_LOAD, initial={"h100": 40}, controls=controls), told, 1)
    seen = sum(bool(pod.samples) for pod in told.views[-1].pods)
    assert 10 <= seen <= 30


def test_totals_count_what_happened() -> None:
    views = _views(CALM)
    view, samples = views[-1], _samples(views)
    last, gateway = samples[-1], view.gateway[-1]
    assert last.ttft is not None
    assert last.itl is not None
    assert gateway.ttft is not None
    arrived = sum(at <= gateway.at_seconds - MONDAY for at in _LOAD.at_seconds)
    assert gateway.requests_total == arrived
    assert gateway.in_flight == pytest.approx(arrived - gateway.ttft.count, abs=20)
    assert (gateway.held, gateway.failed_total) == (0, 0)
    for name in ("requests_total", "prompt_tokens_total", "output_tokens_total"):
        totals = [getattr(sample, name) for sample in samples]
        assert totals == sorted(totals)
    assert last.output_tokens_total == pytest.approx(last.ttft.count + last.itl.count)
    assert last.ttft.counts[-1] == max(last.ttft.counts)


def test_a_starting_replica_is_seen_without_samples() -> None:
    told = Told(lambda now: {"h100": 2}, MONDAY)
    simulate(scenario(arrivals([], 300.0)), told, 1)
    # Asked at 15 s, ready at 75 s.
    young = [view.pods[1] for view in told.views[1:]]
    assert [pod.is_ready for pod in young[:5]] == [False, False, False, True, True]
    assert (young[2].ready_seconds, young[2].samples) == (None, ())
    assert young[5].ready_seconds == MONDAY + 75.0
    assert told.views[0].asked == {"h100": 1}
    assert told.views[1].asked == {"h100": 2}


def test_a_view_that_is_kept_does_not_change() -> None:
    view = _views(CALM, replicas=2)[20]
    assert all(sample.at_seconds <= view.now_seconds for pod in view.pods for sample in pod.samples)
    assert all(sample.at_seconds <= view.now_seconds for sample in view.gateway)


def test_an_answer_is_made_to_fit_the_limits() -> None:
    cheap, dear = flavour("cheap", price=1.0, maximum=3), flavour("dear", price=2.0)
    told = Told(lambda now: {"cheap": 9, "dear": -1}, MONDAY)
    simulate(scenario(arrivals([], 60.0), cheap, dear, initial={"dear": 2}), told, 1)
    assert told.views[0].asked == {"cheap": 0, "dear": 2}
    assert told.views[1].asked == {"cheap": 3, "dear": 0}

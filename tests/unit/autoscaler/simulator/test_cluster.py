"""Replicas come and go as they do in a cluster, and each second of theirs is paid for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import MONDAY, Change, Spot, Stuck
from tests.support.simulated import BOUNDS, CALM, Still, Told, arrivals, flavour, random_arrivals, scenario

_NONE = arrivals([], 600.0)
# A dollar for each replica and 1,000 seconds.
_PRICE = 3.6
_IDLE = ScalingSettings(BOUNDS, minimum=0, idle_after_seconds=60.0)


def test_a_replica_is_paid_for_from_its_allocation_to_its_end() -> None:
    told = Told(lambda now: {"h100": 2 if 100 <= now < 300 else 1}, MONDAY)
    told.interval_seconds = 100.0
    result = simulate(scenario(_NONE), told, 1)
    # 600 s of one replica, 200 s of another, of which 60 s were its start.
    assert result.dollars == pytest.approx(0.8)
    assert result.accelerator_hours == pytest.approx(800 / 3600)
    assert result.timeline.ready["h100"].tolist() == [1, 1, 2, 2, 1, 1, 1, 1, 1, 1]
    assert result.timeline.billed["h100"].tolist() == [1, 2, 2, 2, 1, 1, 1, 1, 1, 1]
    assert float(result.timeline.dollars.sum()) == pytest.approx(result.dollars)


def test_a_drain_loses_nothing_and_is_paid_for() -> None:
    # Both replicas answer for half a minute when one of them is told to go.
    load = arrivals([(10.0 + index / 100, 100, 2000) for index in range(8)], 600.0)
    told = Told(lambda now: {"h100": 1 if now >= 15 else 2}, MONDAY)
    result = simulate(scenario(load, initial={"h100": 2}), told, 1)
    assert (result.lost, result.abandoned, result.refused) == (0, 0, 0)
    assert result.dollars > 0.615 + 0.01
    assert result.timeline.ready["h100"][0] == 1


def test_a_drain_that_takes_too_long_cuts_answers_off() -> None:
    load = arrivals([(10.0 + index / 100, 100, 2000) for index in range(8)], 600.0)
    told = Told(lambda now: {"h100": 1 if now >= 15 else 2}, MONDAY)
    controls = replace(CALM, drain_seconds=5.0)
    result = simulate(scenario(load, initial={"h100": 2}, controls=controls), told, 1)
    assert 0 < result.lost < 8
    assert result.dollars == pytest.approx(0.62)


def test_what_still_waited_where_a_replica_was_cut_off_is_answered_by_another() -> None:
    load = arrivals([(10.0 + index / 100, 100, 1000) for index in range(8)], 600.0)
    told = Told(lambda now: {"h100": 1 if now >= 15 else 2}, MONDAY)
    controls = replace(CALM, drain_seconds=5.0)
    # One at a time: the others wait for their first token.
    two = scenario(load, flavour(slots=1), initial={"h100": 2}, controls=controls)
    result = simulate(two, told, 1)
    assert (result.lost, result.finished) == (1, 7)
    assert result.ttft_seconds[0.99] > 60.0


def test_requests_are_held_while_no_replica_runs() -> None:
    load = arrivals([(20.0, 100, 10), (21.0, 100, 10)], 600.0)

    def woken(now: float) -> dict[str, int]:
        return {"h100": 1 if now >= 30 else 0}

    told = Told(woken, MONDAY)
    result = simulate(scenario(load, settings=_IDLE, initial={}), told, 1)
    assert (result.requests, result.abandoned, result.refused, result.lost) == (2, 0, 0, 0)
    # Asked at 30 s, ready 60 s later.
    assert 70.0 < result.ttft_seconds[0.99] < 70.1
    assert result.timeline.held.tolist()[:3] == [2, 0, 0]
    held = [view.gateway[-1].held for view in told.views if view.gateway]
    assert max(each for each in held if each is not None) == 2


def test_what_the_gateway_cannot_hold_is_refused_and_what_waits_too_long_leaves() -> None:
    load = arrivals([(20.0 + index, 100, 10) for index in range(5)], 600.0)
    controls = replace(CALM, hold_requests=3, patience_seconds=100.0)
    result = simulate(scenario(load, settings=_IDLE, initial={}, controls=controls), Still({"h100": 0}), 1)
    assert (result.refused, result.abandoned, result.met_requests) == (2, 3, 0)
    assert result.ttft_seconds[0.5] == float("inf")
    assert result.dollars == 0.0


def test_a_request_that_no_cache_holds_is_refused() -> None:
    load = arrivals([(1.0, 900, 200), (2.0, 900, 100)], 60.0)
    result = simulate(scenario(load, flavour(cache_tokens=1000)), Still({"h100": 1}), 1)
    assert (result.refused, result.met_requests) == (1, 1)


def test_the_quota_leaves_replicas_pending_and_unpaid() -> None:
    controls = replace(CALM, changes=(Change("h100", 0.5, maximum=3), Change("h100", 280.0, maximum=4)))
    told = Told(lambda now: {"h100": 4}, MONDAY)
    result = simulate(scenario(_NONE, controls=controls), told, 1)
    assert result.timeline.asked["h100"].tolist() == [3, 3, 3, 3, 4, 4, 4, 4, 4, 4]
    assert result.timeline.ready["h100"].tolist() == [1, 3, 3, 3, 3, 4, 4, 4, 4, 4]


def test_a_draining_replica_keeps_its_place_in_the_quota() -> None:
    load = arrivals([(1.0, 100, 8000)], 600.0)
    told = Told(lambda now: {"h100": 0 if now < 31 else 1}, MONDAY)
    result = simulate(scenario(load, flavour(maximum=1), settings=_IDLE, initial={"h100": 1}), told, 1)
    assert result.lost == 0
    assert max(result.timeline.billed["h100"]) == 1
    # Some 113 s of answer, then a start.
    assert result.timeline.ready["h100"].tolist()[:3] == [0, 0, 1]


def test_a_quota_that_shrinks_takes_replicas_away_at_once() -> None:
    controls = replace(CALM, changes=(Change("h100", 130.0, maximum=1),))
    told = Told(lambda now: {"h100": 3}, MONDAY)
    told.interval_seconds = 1000.0
    result = simulate(scenario(_NONE, initial={"h100": 3}, controls=controls), told, 1)
    assert result.timeline.asked["h100"].tolist() == [3, 3, *[1] * 8]
    assert result.timeline.ready["h100"].tolist() == [3, 3, *[1] * 8]


def test_a_price_that_changes_counts_from_then_on() -> None:
    controls = replace(CALM, changes=(Change("h100", 250.0, price_per_hour=2 * _PRICE),))
    told = Told(lambda now: {"h100": 1}, MONDAY)
    assert simulate(scenario(_NONE, controls=controls), told, 1).dollars == pytest.approx(0.95)
    prices = [view.flavours["h100"].price_per_hour for view in told.views]
    assert (prices[0], prices[-1]) == (_PRICE, 2 * _PRICE)


def test_a_flavour_that_is_stuck_stays_pending_and_unpaid() -> None:
    controls = replace(CALM, stuck=(Stuck("h100", 10.0, 200.0),))
    told = Told(lambda now: {"h100": 2}, MONDAY)
    result = simulate(scenario(_NONE, controls=controls), told, 1)
    assert result.timeline.ready["h100"].tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert result.dollars == pytest.approx(0.6 + 0.4)
    pending = [pod for pod in told.views[5].pods if pod.ready_seconds is None]
    assert [pod.created_seconds - MONDAY for pod in pending] == [15.0]


def test_starts_fail_as_often_as_stated_and_begin_again() -> None:
    controls = replace(CALM, failing_starts=0.25, restart_seconds=10.0)
    told = Told(lambda now: {"h100": 201}, MONDAY)
    load = arrivals([], 1200.0)
    simulate(scenario(load, flavour(maximum=300), controls=controls), told, 3)
    started = [pod for pod in told.views[-1].pods if pod.ready_seconds not in (None, MONDAY)]
    took = [round((pod.ready_seconds or 0.0) - pod.created_seconds) for pod in started]
    assert set(took) <= {60, 130, 200, 270, 340, 410, 480}
    assert np.mean([seconds > 60 for seconds in took]) == pytest.approx(0.25, abs=0.08)
    assert np.mean([seconds > 130 for seconds in took]) == pytest.approx(0.0625, abs=0.05)


def test_those_that_do_not_serve_yet_go_first_then_the_youngest() -> None:
    def say(now: float) -> dict[str, int]:
        return {"h100": 2 if now < 150 else 3 if now < 160 else 2 if now < 250 else 1}

    told = Told(say, MONDAY)
    simulate(scenario(_NONE), told, 1)
    names = [[pod.name for pod in view.pods] for view in told.views]
    assert names[10] == ["h100-0", "h100-1", "h100-2"]
    assert names[12] == ["h100-0", "h100-1"]
    assert names[-1] == ["h100-0"]


def test_a_spot_loss_takes_the_domain_with_notice() -> None:
    spot = Spot(losses_per_hour=6.0, notice_seconds=5.0, unavailable_seconds=100.0)
    load = random_arrivals(2.0, 3600.0, given=300, answer=900)
    told = Told(lambda now: {"spot": 2, "h100": 1}, MONDAY)
    result = simulate(
        scenario(load, flavour(), flavour("spot", price=1.0, spot=spot), initial={"h100": 1, "spot": 2}),
        told,
        1,
    )
    ready = result.timeline.ready["spot"]
    assert (ready.min(), ready.max()) == (0, 2)
    assert result.timeline.ready["h100"].min() == 1
    # Answers that a machine took along are lost; what waited there is answered by another.
    assert 0 < result.lost < 300
    assert result.refused + result.abandoned == 0
    noticed = [pod for view in told.views for pod in view.pods if pod.is_draining]
    assert {pod.flavour for pod in noticed} == {"spot"}


def test_a_loss_spares_those_that_have_no_machine_there() -> None:
    spot = Spot(losses_per_hour=6.0, share=0.0)
    told = Told(lambda now: {"spot": 2}, MONDAY)
    result = simulate(scenario(_NONE, flavour("spot", spot=spot), initial={"spot": 2}), told, 1)
    assert result.timeline.ready["spot"].min() == 2


def test_requests_go_to_the_replica_with_less_to_do() -> None:
    load = random_arrivals(8.0, 300.0)
    told = Told(lambda now: {"h100": 4}, MONDAY)
    simulate(scenario(load, initial={"h100": 4}), told, 1)
    served = [pod.samples[-1].requests_total or 0.0 for pod in told.views[-1].pods]
    assert min(served) > 0.8 * max(served)

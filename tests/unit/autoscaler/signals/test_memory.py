"""Looks that failed leave no sample, counters never fall, and blindness is said only when all is old."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman_autoscaler.signals.memory import Memory
from pointsman_autoscaler.signals.page import TargetLook
from pointsman_autoscaler.signals.startups import Startups
from pointsman_autoscaler.signals.totals import Totals
from pointsman_autoscaler.signals.watched import Blind, Replica, Watched
from pointsman_autoscaler.view import EngineSample, Flavour, Startup, View

FLAVOUR = Flavour("default", 1.0)


Step = tuple[float, Mapping[str, TargetLook | None], set[str]]


def replica(name: str = "a", *, ready_seconds: float | None = 10.0, is_ready: bool = True) -> Replica:
    return Replica(name, "default", Address("127.0.0.1", 1), 0.0, ready_seconds, is_ready)


def watched(*replicas: Replica) -> Watched:
    return Watched(ObjectKey("chat", "m"), {"default": FLAVOUR}, replicas, {"default": len(replicas)})


def seen(memory: Memory, now: float, *replicas: Replica) -> View:
    view = memory.view(watched(*replicas), now)
    assert isinstance(view, View)
    return view


def look(attempts: float, active: float = 0.0) -> TargetLook:
    return TargetLook(active=active, counters={"attempts": attempts})


def test_samples_lie_apart_but_for_the_newest_and_the_oldest_go() -> None:
    memory = Memory()
    for at in range(0, 1000, 5):
        memory.saw_engine("a", EngineSample(float(at), running=1.0))
    [pod] = seen(memory, 1000.0, replica()).pods
    times = [sample.at_seconds for sample in pod.samples]
    assert times[-1] == 995.0
    assert times[0] >= 95.0
    assert all(later - earlier >= 14 for earlier, later in pairwise(times[:-1]))


def test_a_clock_that_goes_back_adds_nothing() -> None:
    memory = Memory()
    memory.saw_engine("a", EngineSample(100.0, running=1.0))
    memory.saw_engine("a", EngineSample(40.0, running=9.0))
    [pod] = seen(memory, 100.0, replica()).pods
    assert [sample.running for sample in pod.samples] == [1.0]


def test_one_replica_that_is_read_is_enough_to_see() -> None:
    memory = Memory()
    memory.saw_engine("a", EngineSample(100.0, running=1.0))
    view = seen(memory, 120.0, replica("a"), replica("b"))
    assert [len(pod.samples) for pod in view.pods] == [1, 0]


def test_old_samples_of_all_are_blindness() -> None:
    memory = Memory()
    memory.saw_engine("a", EngineSample(100.0, running=1.0))
    assert isinstance(memory.view(watched(replica()), 155.0), View)
    assert isinstance(memory.view(watched(replica()), 165.0), Blind)
    memory.saw_engine("a", EngineSample(166.0, running=1.0))
    assert isinstance(memory.view(watched(replica()), 167.0), View)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(replica(ready_seconds=None, is_ready=False), id="it starts"),
        pytest.param(replica(ready_seconds=95.0), id="it has only just become ready"),
    ],
)
def test_a_replica_that_cannot_have_been_read_blinds_nobody(one: Replica) -> None:
    assert isinstance(Memory().view(watched(one), 100.0), View)


def test_replicas_that_are_not_ready_any_more_are_no_load_of_zero_unless_gateways_say_so() -> None:
    memory = Memory()
    lost = replica(is_ready=False)
    assert isinstance(memory.view(watched(lost), 100.0), Blind)
    memory.saw_gateways(90.0, {"x": look(5, 2)}, {"x"})
    assert isinstance(memory.view(watched(lost), 100.0), View)
    assert isinstance(memory.view(watched(lost), 160.0), Blind)


def test_metrics_of_a_pod_that_is_gone_are_forgotten() -> None:
    memory = Memory()
    memory.saw_engine("gone", EngineSample(100.0, running=1.0))
    memory.saw_engine("a", EngineSample(100.0, running=1.0))
    assert [pod.name for pod in seen(memory, 101.0, replica("a")).pods] == ["a"]
    memory.saw_engine("a", EngineSample(200.0, running=1.0))
    view = seen(memory, 201.0, replica("a"), replica("gone"))
    assert [len(pod.samples) for pod in view.pods] == [2, 0]


def arrivals(
    memory: Memory, *steps: tuple[float, Mapping[str, TargetLook | None], set[str]]
) -> list[float | None]:
    for at, looks, there in steps:
        memory.saw_gateways(at, looks, there)
    return [sample.requests_total for sample in seen(memory, 1e6).gateway]


def test_what_arrived_is_what_ended_and_what_has_not_whoever_took_it() -> None:
    both = {"x", "y"}
    found = arrivals(
        Memory(),
        (0.0, {"x": look(100, 2), "y": look(50, 1)}, both),
        (15.0, {"x": look(110, 4), "y": look(55, 1)}, both),
        (30.0, {"x": look(110, 4)}, both),
        (45.0, {"x": look(120, 0), "y": look(60, 0)}, both),
    )
    # What was counted before it was seen first counts for nothing; one that is silent leaves a gap.
    assert found == [3.0, 20.0, None, 30.0]


def test_an_envoy_that_begins_anew_and_a_gateway_that_goes_never_count_down() -> None:
    found = arrivals(
        Memory(),
        (0.0, {"x": look(100, 2), "y": look(10, 3)}, {"x", "y"}),
        (15.0, {"x": look(3, 0), "y": look(12, 1)}, {"x", "y"}),
        (30.0, {"x": look(13, 0)}, {"x"}),
        (45.0, {"x": look(15, 1)}, {"x"}),
    )
    assert found == [5.0, 5.0, 12.0, 15.0]


def test_a_gateway_without_requests_of_the_model_says_none() -> None:
    memory = Memory()
    memory.saw_gateways(0.0, {"x": None}, {"x"})
    [sample] = seen(memory, 1.0).gateway
    assert (sample.requests_total, sample.in_flight, sample.held) == (0.0, 0.0, None)


def test_a_counter_that_lost_some_is_no_flood() -> None:
    totals = Totals()
    for counters in ({"a": 1000.0}, {"a": 990.0}, {"a": 995.0}):
        totals.take("x", counters)
    assert totals.sums == {"a": 5.0}


def test_start_ups_are_those_that_were_seen() -> None:
    usual = Startup(110.0, 180.0)
    startups = Startups()
    assert startups.startup(usual) == usual
    startups.observe(40.0)
    assert startups.startup(usual) == Startup(40.0, 60.0)
    for seconds in (50.0, 60.0, 45.0, 300.0):
        startups.observe(seconds)
    assert startups.startup(usual) == Startup(50.0, 300.0)


def test_a_flavour_learns_how_long_its_replicas_take() -> None:
    view = seen(Memory(), 20.0, replica("a", ready_seconds=12.0))
    assert view.flavours["default"].startup == Startup(12.0, 18.0)

"""Flavours that are not relied upon: late, or taken away."""

from dataclasses import replace

import pytest

from pointsman_autoscaler.scaler.starts import Starts
from pointsman_autoscaler.view import Flavour, Pod, Startup

SPOT = Flavour("spot", 1.0, is_spot=True, startup=Startup(100.0, 150.0))
STEADY = Flavour("od", 4.0, startup=Startup(100.0, 150.0))
FLAVOURS = {"spot": SPOT, "od": STEADY}


def ready(name: str, flavour: str) -> Pod:
    return Pod(name, flavour, 0.0, 100.0, True)


def pending(name: str, flavour: str, created: float) -> Pod:
    return Pod(name, flavour, created)


def looks(starts: Starts, *scenes: tuple[float, list[Pod], dict[str, int]]) -> Starts:
    for now, pods, asked in scenes:
        starts.observe(now, FLAVOURS, pods, asked)
    return starts


def test_spot_that_vanishes_was_lost_and_is_not_asked_for_again_at_once() -> None:
    both = [ready("a", "spot"), ready("b", "spot")]
    starts = looks(Starts(), (200.0, both, {"spot": 2}), (215.0, [pending("c", "spot", 210.0)], {"spot": 2}))
    assert starts.is_barred("spot")
    assert starts.losses_per_day("spot") > 4.0
    looks(starts, (215.0 + 601.0, [], {"spot": 0}))
    assert not starts.is_barred("spot")


def test_spot_that_is_told_to_leave_was_lost_already() -> None:
    here = ready("a", "spot")
    starts = looks(
        Starts(), (200.0, [here], {"spot": 1}), (215.0, [replace(here, is_draining=True)], {"spot": 1})
    )
    assert starts.is_barred("spot")


def test_spot_that_was_given_up_was_not_lost() -> None:
    both = [ready("a", "spot"), ready("b", "spot")]
    starts = looks(Starts(), (200.0, both, {"spot": 2}), (215.0, both[:1], {"spot": 1}))
    assert not starts.is_barred("spot")


@pytest.mark.parametrize(("there", "is_evidence"), [(True, True), (False, False)])
def test_days_without_a_loss_are_evidence_where_there_was_something_to_lose(
    there: bool, is_evidence: bool
) -> None:
    pods = [ready("a", "spot")] if there else []
    starts = looks(Starts(), (0.0, pods, {"spot": len(pods)}))
    before = starts.losses_per_day("spot")
    looks(starts, (3 * 86_400.0, pods, {"spot": len(pods)}))
    assert (starts.losses_per_day("spot") < 0.7) == is_evidence
    assert before == 4.5


def test_a_flavour_that_does_not_start_is_left_alone_for_longer_each_time() -> None:
    starts = looks(Starts(), (1000.0, [pending("a", "od", 0.0)], {"od": 1}))
    assert starts.is_barred("od")
    looks(starts, (1601.0, [], {"od": 0}))
    assert not starts.is_barred("od")
    looks(starts, (3000.0, [pending("b", "od", 2000.0)], {"od": 1}), (3601.0, [], {"od": 0}))
    assert starts.is_barred("od")
    looks(starts, (4201.0, [], {"od": 0}))
    assert not starts.is_barred("od")


def test_one_that_starts_after_all_clears_its_name() -> None:
    starts = looks(Starts(), (1000.0, [pending("a", "od", 0.0)], {"od": 1}))
    looks(starts, (1700.0, [ready("a", "od")], {"od": 1}))
    looks(starts, (3000.0, [pending("b", "od", 2000.0)], {"od": 2}), (3601.0, [], {"od": 0}))
    assert not starts.is_barred("od")


def test_a_late_start_is_not_a_stuck_one() -> None:
    """One in twenty takes longer than its 95th percentile."""
    assert not looks(Starts(), (200.0, [pending("a", "od", 0.0)], {"od": 1})).is_barred("od")


def test_a_clock_that_is_set_back_bars_nothing_for_long() -> None:
    starts = looks(Starts(), (1e6, [pending("a", "od", 0.0)], {"od": 1}))
    looks(starts, (100.0, [], {"od": 0}), (701.0, [], {"od": 0}))
    assert not starts.is_barred("od")

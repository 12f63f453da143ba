"""The HPA as a policy: what it reads of pods, and what it does when it cannot see them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pointsman_autoscaler.baselines.hpa import Hpa
from pointsman_autoscaler.view import Pod
from tests.support.baseline_views import NOW, bare, flavour, pod, pods, sample, setup, view

# A replica of ten slots and a share of 0.8: eight requests in each.


@dataclass(frozen=True)
class Case:
    pods: Sequence[Pod] = ()
    asked: int = 0
    want: int = 0
    samples_of: str = field(default="requests")


CASES = {
    "at the target it stays": Case(pods(4, 8), 4, 4),
    "within the tolerance it stays": Case(pods(10, 8.8), 10, 10),
    "beyond the tolerance it grows": Case(pods(10, 8.9), 10, 12),
    "waiting requests count as running ones do": Case(pods(2, 4, waiting=8.0), 2, 3),
    "a replica that is not ready counts as idle on the way up": Case(
        [*pods(2, 12), pod("new", ready=False)], 3, 3
    ),
    "a ready replica without metrics counts as idle on the way up": Case([*pods(2, 20), pod("mute")], 3, 5),
    "a draining replica does not count": Case(
        [*pods(2, 8), pod("old", sample(running=50), draining=True)], 2, 2
    ),
    "at most four more at once": Case(pods(1, 80), 1, 5),
    "no pod has metrics: it stays": Case(pods(3, None), 3, 3),
    "metrics are stale: it stays": Case([pod("a", sample(NOW - 120, 80.0))], 1, 1),
    "no pods yet, but asked: it stays": Case((), 2, 2),
    "asked for none: it begins with the minimum": Case((), 0, 1),
    "not a number is no metric": Case(pods(2, float("nan")), 2, 2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_one_decision(case: Case) -> None:
    assert Hpa(setup()).decide(view(bare(), pods=case.pods, asked=case.asked)) == {"h100": case.want}


def test_it_goes_down_five_minutes_after_it_last_wanted_more() -> None:
    hpa, counts = Hpa(setup()), []
    hpa.decide(view(bare(), pods=pods(4, 8), asked=4))
    for later in (15, 285, 300):
        now = NOW + later
        counts.append(hpa.decide(view(bare(), pods=pods(4, 2, now=now), asked=4, now=now))["h100"])
    assert counts == [4, 4, 1]


def test_the_cache_as_metric_is_held_to_the_share_itself() -> None:
    hpa = Hpa(setup(), target=0.5, metric="cache")
    assert hpa.decide(view(flavour(), pods=pods(2, 1, cache=0.75), asked=2)) == {"h100": 3}
    assert hpa.name == "hpa-cache"


def test_the_target_follows_what_a_replica_can_run_within_the_bounds() -> None:
    """Twice the share, half the replicas; the number itself comes from the law."""
    held = setup().profile(flavour()).concurrency
    half, whole = Hpa(setup(), target=0.45), Hpa(setup(), target=0.9)
    seen = view(flavour(), pods=pods(4, held * 0.9), asked=4)
    assert half.decide(seen) == {"h100": 8}
    assert whole.decide(seen) == {"h100": 4}

"""How fast an HPA follows itself, held to the vectors of Kubernetes' own tests."""

from dataclasses import dataclass, field

import pytest

from pointsman_autoscaler.baselines.behaviour import Behaviour, Limit, Rules
from tests.support.baseline_views import NOW

# kubernetes/kubernetes, pkg/controller/podautoscaler/horizontal_test.go: TestScalingWithRules, TestUpscaleCap
# and TestNormalizeDesiredReplicas. Events are spread evenly over the last 120 s there.


@dataclass(frozen=True)
class Case:
    current: int
    wanted: int
    want: int
    pods: tuple[int, float] | None = None
    percent: tuple[float, float] | None = None
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    limits: tuple[Limit, ...] = field(init=False)

    def __post_init__(self) -> None:
        given = []
        if self.pods is not None:
            given.append(Limit(self.pods[1], pods=self.pods[0]))
        if self.percent is not None:
            given.append(Limit(self.percent[1], percent=self.percent[0]))
        object.__setattr__(self, "limits", tuple(given))


UP = {
    "percent limit over max replicas": Case(3, 1000, 4, percent=(1, 60)),
    "upscale cap": Case(3, 60, 24, percent=(700, 60)),
    "default behavior": Case(10, 50, 20),
    "pods policy larger than percent policy": Case(10, 500, 110, (100, 60), (100, 60)),
    "percent policy larger than pods policy": Case(10, 500, 20, (2, 60), (100, 60)),
    "pod policy limitation": Case(10, 50, 40, (30, 60)),
    "percent policy limitation": Case(10, 50, 30, percent=(200, 60)),
    "a lot of recent scale up events": Case(100, 500, 100, (5, 120), added=(1, 5, 9)),
    "pod policy and previous events": Case(100, 500, 235, (150, 120), added=(1, 5, 9)),
    "percent policy and previous events": Case(100, 500, 255, percent=(200, 120), added=(1, 5, 9)),
    "previous up and down events": Case(6, 24, 16, percent=(300, 300), added=(4,), removed=(2,)),
}
DOWN = {
    "pods limit over min replicas": Case(1000, 3, 980, (20, 60)),
    "pod policy larger": Case(100, 2, 80, (20, 60), (1, 60)),
    "percent policy next to two pods": Case(100, 2, 98, (2, 60), (1, 60)),
    "pod policy limitation": Case(10, 2, 5, (5, 60)),
    "percent policy limitation": Case(10, 5, 5, percent=(50, 60)),
    "default policy and previous events": Case(10, 5, 5, removed=(1, 5, 9)),
    "pod policy and previous events": Case(100, 2, 100, (5, 120), removed=(1, 5, 9)),
    "percent policy and previous events": Case(100, 0, 56, percent=(50, 120), removed=(2, 4, 6)),
    "previous up and down events": Case(10, 1, 6, percent=(50, 180), added=(2,), removed=(4,)),
    "previous events prevent more": Case(100, 0, 100, percent=(10, 120), removed=(10, 10, 10)),
    "more than everything": Case(10, 5, 5, percent=(1000, 120), removed=(10, 10, 10)),
}


def _spread(behaviour: Behaviour, case: Case) -> None:
    """Events in the middles of equal parts of the last 120 s, oldest first."""
    events = []
    for changes, sign in ((case.added, 1), (case.removed, -1)):
        part = 120 / len(changes) if changes else 0.0
        events += [(NOW - (120 - part * (index + 1) + part / 2), sign * n) for index, n in enumerate(changes)]
    for at, change in sorted(events):
        behaviour.note(at, change)


@pytest.mark.parametrize("case", UP.values(), ids=UP.keys())
def test_up(case: Case) -> None:
    rules = Rules(up=case.limits) if case.limits else Rules()
    behaviour = Behaviour(rules)
    _spread(behaviour, case)
    assert behaviour.apply(NOW, case.current, case.wanted) == case.want


@pytest.mark.parametrize("case", DOWN.values(), ids=DOWN.keys())
def test_down(case: Case) -> None:
    limits = case.limits or Rules().down
    behaviour = Behaviour(Rules(down=limits, down_window_seconds=0))
    _spread(behaviour, case)
    assert behaviour.apply(NOW, case.current, case.wanted) == case.want


STABLE = {
    "stabilize": (((4, 120), (5, 60)), 3, 5),
    "no stabilize": (((1, 120), (2, 60)), 3, 3),
    "no stabilize - old recommendations": (((10, 600), (9, 540)), 3, 3),
    "stabilize - old recommendations": (((10, 600), (9, 540), (5, 120), (4, 60)), 3, 5),
}


@pytest.mark.parametrize(("log", "wanted", "want"), STABLE.values(), ids=STABLE.keys())
def test_greatest_of_five_minutes_on_the_way_down(
    log: tuple[tuple[int, int], ...], wanted: int, want: int
) -> None:
    behaviour = Behaviour(Rules(up=()))
    for replicas, age in log:
        behaviour.apply(NOW - age, replicas, replicas)
    assert behaviour.apply(NOW, 100, wanted) == want


def test_four_more_or_double_in_fifteen_seconds() -> None:
    behaviour, current, seen = Behaviour(), 1, []
    for step in range(4):
        current = behaviour.apply(NOW + 15 * step, current, 100)
        seen.append(current)
    assert seen == [5, 10, 20, 40]


def test_a_second_call_within_the_period_adds_nothing() -> None:
    behaviour = Behaviour()
    assert behaviour.apply(NOW, 3, 100) == 7
    assert behaviour.apply(NOW + 10, 7, 100) == 7
    assert behaviour.apply(NOW + 15, 7, 100) == 14

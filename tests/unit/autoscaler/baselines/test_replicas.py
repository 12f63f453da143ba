"""How many replicas an HPA wants, held to the vectors of Kubernetes' own tests."""

from dataclasses import dataclass

import pytest

from pointsman_autoscaler.baselines.replicas import by_pods, by_total

# kubernetes/kubernetes, pkg/controller/podautoscaler/replica_calculator_test.go, each case named as there.
# Values of resources are in per cent of the request, as the target is.


@dataclass(frozen=True)
class Case:
    current: int
    values: tuple[float, ...]
    target: float
    want: int | None
    missing: int = 0
    unready: int = 0


BY_PODS = {
    "ScaleUp": Case(3, (30, 50, 70), 30, 5),
    "ScaleUpUnreadyLessScale": Case(3, (50, 70), 30, 4, unready=1),
    "ScaleUpUnreadyNoScale": Case(3, (40,), 30, 3, unready=2),
    "ScaleUpIgnoresFailedPods": Case(2, (50, 70), 30, 4),
    "ScaleUpCM": Case(3, (20000, 10000, 30000), 15000, 4),
    "ScaleUpCMUnreadyHotCpuNoLessScale": Case(3, (50000, 10000, 30000), 15000, 6),
    "ScaleUpCMUnreadyHotCpuScaleWouldScaleDown": Case(3, (50000, 15000, 30000), 15000, 7),
    "ScaleUpCMExternal": Case(1, (8600,), 4400, 2),
    "ScaleDown": Case(5, (10, 30, 50, 25, 25), 50, 3),
    "ScaleDownCM": Case(5, (12000,) * 5, 20000, 3),
    "ScaleDownIncludeUnreadyPods": Case(5, (10, 30, 50), 50, 2, unready=2),
    "ScaleDownExcludeUnscheduledPods": Case(5, (10,), 50, 1, unready=4),
    "ToleranceCM": Case(3, (20000, 21000, 21000), 20000, 3),
    "SuperfluousMetrics": Case(4, (400, 950, 300, 700), 100, 24),
    "MissingMetrics": Case(4, (40, 9.5), 100, 3, missing=2),
    "MissingMetricsNoChangeEq": Case(2, (100,), 100, 2, missing=1),
    "MissingMetricsNoChangeGt": Case(2, (190,), 100, 2, missing=1),
    "MissingMetricsNoChangeLt": Case(2, (60,), 100, 2, missing=1),
    "MissingMetricsUnreadyChange": Case(3, (45,), 50, 3, missing=1, unready=1),
    "MissingMetricsUnreadyScaleUp": Case(3, (200,), 50, 4, missing=1, unready=1),
    "EmptyMetrics": Case(4, (), 100, None, missing=4),
}


@pytest.mark.parametrize("case", BY_PODS.values(), ids=BY_PODS.keys())
def test_metric_of_each_pod(case: Case) -> None:
    wanted = by_pods(case.current, case.values, case.target, missing=case.missing, unready=case.unready)
    assert wanted == case.want


BY_TOTAL = {
    "ScaleUpCMPerPodObject": (3, 20000, 5000, 4),
    "ScaleUpPerPodCMExternal": (3, 8600, 2150, 4),
    "ScaleDownPerPodCMObject": (5, 6000, 2000, 3),
    "ScaleDownPerPodCMExternal": (5, 8600, 2867, 3),
    "TolerancePerPodCMObject": (4, 20166, 5000, 4),
    "TolerancePerPodCMExternal": (3, 8600, 2900, 3),
}


@pytest.mark.parametrize(("current", "total", "target", "want"), BY_TOTAL.values(), ids=BY_TOTAL.keys())
def test_metric_shared_by_all_pods(current: int, total: float, target: float, want: int) -> None:
    assert by_total(current, total, target) == want


@pytest.mark.parametrize(
    ("each", "want"), [(110, 10), (110.5, 12), (90, 10), (89.5, 9), (100, 10)], ids=lambda value: str(value)
)
def test_tolerance_ends_at_a_tenth_to_either_side(each: float, want: int) -> None:
    assert by_pods(10, (each,) * 10, 100) == want
    assert by_total(10, each * 10, 100) == want


def test_nothing_to_share_at_zero_replicas() -> None:
    assert by_total(0, 50, 10) == 0

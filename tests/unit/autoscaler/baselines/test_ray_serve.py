"""Ray Serve, held to the vectors of its own tests, and as a policy."""

import pytest

from pointsman_autoscaler.baselines.ray_serve import Delays, RayServe, desired
from tests.support.baseline_views import NOW, bare, gateway, pods, setup, view

# ray-project/ray, python/ray/serve/tests/unit/test_autoscaling_policy.py, class TestReplicaQueueLengthPolicy.


@pytest.mark.parametrize(("factor", "want"), [(10, 10), (0.5, 1)])
def test_scaling_factor_scale_up_from_0_replicas(factor: float, want: int) -> None:
    assert desired(0, 0, 1, 1, up_factor=factor) == want


def test_scaling_factor_scale_down_to_0_replicas() -> None:
    at_once = Delays(0, 0)
    assert at_once.follow(NOW, 5, desired(5, 5, 0, 1, down_factor=10)) == 1
    assert at_once.follow(NOW, 1, desired(1, 1, 0, 1, down_factor=10)) == 0
    replicas = 5
    for _ in range(5):
        replicas = at_once.follow(NOW, replicas, desired(replicas, replicas, 0, 1, down_factor=0.2))
    assert replicas == 0


def test_replicas_delayed_startup() -> None:
    """Running replicas, target, requests and the new target; one request in each."""
    delays = Delays(0, 100_000)
    for running, target, requests, want in (
        (1, 1, 100, 100),
        (1, 100, 100, 100),
        (3, 100, 123, 123),
        (4, 123, 10, 123),
    ):
        assert delays.follow(NOW, target, desired(running, target, requests, 1)) == want


@pytest.mark.parametrize("requests", [20, 100, 10])
def test_single_replica_receives_all_requests(requests: int) -> None:
    assert desired(4, 4, requests, 5) == requests / 5


@pytest.mark.parametrize("delay", [30.0, 0.0])
def test_fluctuating_ongoing_requests(delay: float) -> None:
    delays = Delays(delay, delay)
    for trial in range(1000):
        now = NOW + trial * 0.1
        if trial % 2 == 0:
            assert delays.follow(now, 1, desired(1, 1, 100, 50)) == (1 if delay else 2)
        else:
            assert delays.follow(now, 2, desired(2, 2, 40, 50)) == (2 if delay else 1)


def test_upscale_downscale_delay() -> None:
    """As _run_upscale_downscale_flow, in steps of a second: 30 s up, 600 s down, 300 s to zero."""
    delays, clock = Delays(30, 600, 300), iter(range(100_000))

    def run(count: int, replicas: int, requests: float) -> list[int]:
        return [
            delays.follow(NOW + next(clock), replicas, desired(replicas, replicas, requests, 1))
            for _ in range(count)
        ]

    assert delays.follow(NOW + next(clock), 0, desired(0, 0, 1, 1)) == 1
    assert run(31, 1, 2) == [1] * 30 + [2]
    assert run(601, 2, 0) == [2] * 600 + [1]
    assert run(301, 1, 0) == [1] * 300 + [0]
    run(15, 1, 2)
    run(1, 1, 0)
    assert run(31, 1, 2) == [1] * 30 + [2], "an interruption begins the delay anew"


def test_ongoing_requests_are_those_at_the_gateway_over_half_a_minute() -> None:
    seen = view(
        bare(),
        pods=pods(4, None),
        gateway=[*gateway(NOW - 40, 100), *gateway(NOW - 20, 16), *gateway(NOW, 24)],
    )
    policy = RayServe(setup(), delays=Delays(0, 0))
    assert policy.decide(seen) == {"h100": 10}, "20 requests, two in each"


def test_without_a_gateway_the_engines_count() -> None:
    policy = RayServe(setup(), target=0.5, delays=Delays(0, 0))
    assert policy.decide(view(bare(), pods=pods(2, 10), asked=2)) == {"h100": 4}


def test_without_metrics_it_stays() -> None:
    assert RayServe(setup()).decide(view(bare(), pods=pods(3, None), asked=3)) == {"h100": 3}


def test_held_requests_wake_it_and_the_minimum_holds() -> None:
    asleep = RayServe(setup(minimum=0, idle=300))
    assert asleep.decide(view(bare(), gateway=gateway(held=1), asked=0)) == {"h100": 1}
    kept = RayServe(setup(minimum=2), delays=Delays(0, 0))
    assert kept.decide(view(bare(), pods=pods(3, None), gateway=gateway(in_flight=0), asked=3)) == {"h100": 2}

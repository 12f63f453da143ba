"""Starts take what was published, and the same luck is as good everywhere."""

from __future__ import annotations

import pytest

from pointsman_autoscaler.simulator.startup import StartupDistribution, cached, cold_node, fixed, warm_node

_8B, _32B = 16e9, 65e9
_MEDIAN = (0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("distribution", "want_p50"),
    [
        (cached(_8B), (45, 60)),
        (cached(_32B), (50, 65)),
        (warm_node(_8B), (60, 70)),
        (warm_node(_32B), (100, 139)),
        (cold_node(_8B), (240, 600)),
        (cold_node(_32B), (240, 600)),
    ],
    ids=lambda each: each.name if isinstance(each, StartupDistribution) else "",
)
def test_scenarios_take_what_was_published(
    distribution: StartupDistribution, want_p50: tuple[float, float]
) -> None:
    found = distribution.quantiles
    assert want_p50[0] <= found.p50_seconds <= want_p50[1]
    assert found.p50_seconds < found.p90_seconds < 2 * found.p50_seconds


def test_pieces_are_medians_at_even_luck_and_sum_up() -> None:
    pieces = cold_node(_8B).pieces(_MEDIAN)
    assert (pieces.node, pieces.image, pieces.engine) == (150.0, 225.0, 45.0)
    assert pieces.weights == pytest.approx(16e9 / (0.5e9 * 5e9) ** 0.5)
    assert pieces.seconds == pieces.node + pieces.image + pieces.weights + pieces.engine
    assert fixed(60.0).pieces((0.1, 0.2, 0.3, 0.9)).seconds == pytest.approx(60.0)


def test_more_of_a_number_never_makes_a_start_faster() -> None:
    cold = cold_node(_8B)
    for place in range(4):
        low, high = ([0.5] * 4 for _ in range(2))
        low[place], high[place] = 0.2, 0.8
        first = cold.pieces((low[0], low[1], low[2], low[3])).seconds
        assert first < cold.pieces((high[0], high[1], high[2], high[3])).seconds

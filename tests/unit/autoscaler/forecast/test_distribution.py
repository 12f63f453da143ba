"""How often the load is above a limit that may lie anywhere between two."""

import pytest

from pointsman_autoscaler.forecast import Forecast
from tests.support.observations import ahead

SPREAD = Forecast(10.0, {0.05: 8.0, 0.5: 10.0, 0.95: 12.5, 0.99: 14.0})


@pytest.mark.parametrize("limits", [(9.0, 12.0), (12.0, 17.0), (3.0, 30.0), (13.0, 13.1), (-5.0, 4.0)])
@pytest.mark.parametrize("forecast", [SPREAD, ahead(10.0, 1.0), ahead(10.0)], ids=["skew", "normal", "sure"])
def test_it_is_the_mean_over_the_limits(forecast: Forecast, limits: tuple[float, float]) -> None:
    low, high = limits
    each = [low + (high - low) * (step + 0.5) / 2000 for step in range(2000)]
    mean = sum(1 - forecast.probability_below(limit) for limit in each) / len(each)
    assert forecast.mean_share_above(low, high) == pytest.approx(mean, abs=5e-4)


def test_limits_that_are_the_same_are_one() -> None:
    assert SPREAD.mean_share_above(12.5, 12.5) == pytest.approx(0.05)


@pytest.mark.parametrize("share", [0.9, 0.99])
@pytest.mark.parametrize("width", [0.05, 1.0, 5.0])
def test_a_limit_is_exceeded_as_often_as_is_allowed_on_the_mean(share: float, width: float) -> None:
    limit = SPREAD.limit(share, width)
    assert SPREAD.mean_share_above(limit, limit + width) == pytest.approx(1 - share, rel=0.1)
    assert limit <= SPREAD.quantile(share) == SPREAD.limit(share, 0.0)

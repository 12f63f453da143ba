"""Dynamo's predictors, held to what the originals answer."""

import math
from collections.abc import Sequence

import pytest

from pointsman_autoscaler.baselines.predictors import Constant, Kalman, Predictor

# ai-dynamo 1.6.1, dynamo/planner/core/load/predictors.py with its defaults (level 1, trend 0.1, noise 10,
# five points), run on these series; the first two are those of its tests/unit/test_load_predictors.py.
SERIES: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "up and down": ((10, 15, 20, 15, 10), (10, 15, 20, 15, 9.980727020001147)),
    "declining": (
        (10, 15, 20, 15, 10, 5, 2, 1, 0),
        (10, 15, 20, 15, 9.980727020001147, 3.892371916584766, 0, 0, 0),
    ),
    "a ramp": (
        (100, 110, 120, 130, 140, 150, 160),
        (100, 110, 120, 130, 149.94782255450252, 159.96846936351255, 169.97910005615128),
    ),
}


@pytest.mark.parametrize(("values", "want"), SERIES.values(), ids=SERIES.keys())
def test_kalman(values: Sequence[float], want: Sequence[float]) -> None:
    kalman, answers = Kalman(), []
    for value in values:
        kalman.observe(value)
        answers.append(kalman.next())
        assert kalman.next() == answers[-1], "asking twice does not move it"
    assert answers == pytest.approx(want, abs=1e-9)


def test_constant() -> None:
    """TestConstantPredictor."""
    constant = Constant()
    assert constant.next() == 0
    constant.observe(7)
    assert constant.next() == 7
    constant.observe(0)
    assert constant.next() == 0


@pytest.mark.parametrize("one", [Constant(), Kalman()], ids=["constant", "kalman"])
def test_leading_zeros_and_what_is_not_a_number_count_as_nothing(one: Predictor) -> None:
    for value in (0.0, math.nan, 0.0):
        one.observe(value)
    assert one.next() == 0
    one.observe(5)
    assert one.next() == 5

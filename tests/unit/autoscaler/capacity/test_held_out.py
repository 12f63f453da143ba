"""The learner's law on measured rows that it has not seen: every third row, and other requests."""

from __future__ import annotations

import statistics

import pytest

from tests.support.learned_laws import Group, by_shape, errors, every_third, groups, is_queued, mean

# Objectives of the autoscaler: the mean error of the time between tokens, the median over groups.
MOST = {False: 0.04, True: 0.10}


@pytest.mark.parametrize("mixture", MOST, ids=["dense", "mixtures"])
def test_held_out_rows_are_predicted(mixture: bool) -> None:
    found = [_error(group) for group in groups() if group.is_mixture == mixture]
    assert statistics.median(each for each in found if each is not None) <= MOST[mixture]


def _error(group: Group) -> float | None:
    """Over rows whose requests all run; None where there are none."""
    running = [(row, error) for row, error in errors(every_third(group)) if not is_queued(row)]
    return mean(running) if running else None


def test_learning_is_better_than_what_placement_expects_for_requests_that_were_never_seen() -> None:
    """Of groups that placement was not fitted to: SGLang on two, four and eight H100."""
    for group in groups():
        if group.engine == "sglang" and group.model == "Qwen3-32B" and group.tensor > 1:
            assert mean(errors(by_shape(group))) < 0.06

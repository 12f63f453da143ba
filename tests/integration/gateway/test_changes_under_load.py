"""Engines and gateways come and go under load, and no client notices: real Envoys, each pod a process.

Clients hold streams, ask plainly on kept connections, and connect anew for each list of models. They pick
gateways as kube-proxy would. Each change is made with watches that tell at once, and three seconds late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster.rehearsal.process import Rehearsal

LAG_SECONDS = 3.0


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with Rehearsal() as playing:
        yield playing


def played(rehearsal: Rehearsal, name: str, lag_seconds: float) -> dict[str, Any]:
    """The report of a change that nobody noticed."""
    report = rehearsal.play(name, lag_seconds)
    assert report["noticed"]["failures"] == [], report
    assert "error" not in report, report
    assert report["noticed"]["streams"] >= 8, report
    assert report["noticed"]["plain"] >= 8, report
    return report


lags = pytest.mark.parametrize(
    "lag_seconds",
    [pytest.param(0.0, id="at-once", marks=pytest.mark.long), pytest.param(LAG_SECONDS, id="late")],
)


@lags
def test_replicas_that_are_too_many_leave(rehearsal: Rehearsal, lag_seconds: float) -> None:
    report = played(rehearsal, "scale_engines", lag_seconds)
    assert (len(report["before"]), len(report["after"])) == (3, 1)


@lags
@pytest.mark.long
def test_a_rollout_replaces_each_replica(rehearsal: Rehearsal, lag_seconds: float) -> None:
    report = played(rehearsal, "roll_engines", lag_seconds)
    assert len(report["before"]) == len(report["after"]) == 2
    assert not set(report["before"]) & set(report["after"])


@lags
@pytest.mark.long
def test_each_gateway_is_replaced(rehearsal: Rehearsal, lag_seconds: float) -> None:
    report = played(rehearsal, "roll_gateways", lag_seconds)
    assert len(report["before"]) == len(report["after"]) == 2
    assert not set(report["before"]) & set(report["after"])
    assert report["noticed"]["closed"] > 0, "nobody was told to connect anew"


@lags
def test_gateways_that_are_too_many_leave(rehearsal: Rehearsal, lag_seconds: float) -> None:
    report = played(rehearsal, "scale_gateways", lag_seconds)
    assert (len(report["before"]), len(report["after"])) == (3, 1)
    assert report["noticed"]["closed"] > 0, "nobody was told to connect anew"


def test_objects_that_are_orphaned_and_applied_again_keep_what_runs(rehearsal: Rehearsal) -> None:
    """No replica goes, no stream is cut; while there is no route, its model is said not to exist, and where a
    gateway hears of the route before the model, that the route leads nowhere.
    """
    report = rehearsal.play("apply_again", 0.0)
    assert "error" not in report, report
    assert len(report["before"]) == 3
    assert report["after"] == report["before"]
    assert report["is_same_workload"], report
    noticed = report["noticed"]
    assert noticed["streams"] >= 8, report
    assert noticed["plain"] - len(noticed["failures"]) >= 8, report
    told = [(" 404 ", "model_not_found"), (" 503 ", "no_target")]
    others = [
        one for one in noticed["failures"] if not any(status in one and code in one for status, code in told)
    ]
    assert others == [], others

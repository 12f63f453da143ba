"""What is changed under load; each gives which pods were there before and after, and what clients noticed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from tests.support.cluster.rehearsal.stage import Stage

Report = dict[str, Any]


def scale_engines(stage: Stage) -> Report:
    """Three replicas become one."""
    before = _engines_in_use(stage, 3)
    stage.scale_engines(1)
    left = stage.wait_engines(1)
    assert set(left) < set(before)
    return _reported(stage, before, left)


def roll_engines(stage: Stage) -> Report:
    """Another spec: each replica is replaced."""
    before = _engines_in_use(stage, 2)
    stage.change_engines({"engine": {"args": [f"--seed={uuid.uuid4().int % 1000}"]}})
    after = stage.wait_engines(2, without=frozenset(before))
    stage.wait_asked(*after.values())
    return _reported(stage, before, after)


def roll_gateways(stage: Stage) -> Report:
    """Each gateway is replaced."""
    before = _gateways_in_use(stage, 2)
    stage.restart_gateways(uuid.uuid4().hex)
    after = stage.wait_gateways(2, without=frozenset(before))
    stage.wait_connected(*after.values())
    return _reported(stage, before, after)


def scale_gateways(stage: Stage) -> Report:
    """Three gateways become one."""
    before = _gateways_in_use(stage, 3)
    stage.scale_gateways(1)
    left = stage.wait_gateways(1)
    return _reported(stage, before, left)


SCENARIOS: dict[str, Callable[[Stage], Report]] = {
    one.__name__: one for one in (scale_engines, roll_engines, roll_gateways, scale_gateways)
}


def _engines_in_use(stage: Stage, count: int) -> dict[str, str]:
    """So many replicas under load, each of which was asked."""
    ready = _ready(stage, engines=count, gateways=2)
    stage.start_load()
    stage.wait_asked(*ready.values())
    stage.wait_streams()
    return ready


def _gateways_in_use(stage: Stage, count: int) -> dict[str, str]:
    """So many gateways under load, to each of which a client holds a connection."""
    _ready(stage, engines=1, gateways=count)
    ready = stage.gateways()
    stage.start_load()
    stage.wait_connected(*ready.values())
    stage.wait_streams()
    return ready


def _ready(stage: Stage, *, engines: int, gateways: int) -> dict[str, str]:
    stage.scale_engines(engines)
    stage.scale_gateways(gateways)
    ready = stage.wait_engines(engines)
    stage.wait_gateways(gateways)
    return ready


def _reported(stage: Stage, before: dict[str, str], after: dict[str, str]) -> Report:
    stage.wait_streams()
    noticed = stage.end_load()
    return {"before": sorted(before), "after": sorted(after), "noticed": noticed.to_json()}

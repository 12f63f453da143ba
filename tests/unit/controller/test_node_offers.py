"""Of a node only what pods could have is news."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pointsman.controller.node_offers import offers_something_else

NODE: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {"zone": "1"}, "resourceVersion": "1", "annotations": {}},
    "spec": {},
    "status": {
        "allocatable": {"nvidia.com/gpu": "8"},
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "10:00"}],
    },
}


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    node = copy.deepcopy(NODE)
    place: Any = node
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return node


NEWS = {
    "more devices": changed("status", "allocatable", to={"nvidia.com/gpu": "16"}),
    "a label": changed("metadata", "labels", to={"zone": "2"}),
    "a taint": changed("spec", "taints", to=[{"key": "spot", "effect": "NoSchedule"}]),
    "it takes no pods": changed("spec", "unschedulable", to=True),
    "it is silent": changed("status", "conditions", 0, "status", to="Unknown"),
    "it is gone": None,
}
NO_NEWS = {
    "a heartbeat": changed("status", "conditions", 0, "lastHeartbeatTime", to="10:05"),
    "an annotation": changed("metadata", "annotations", to={"checked": "yes"}),
    "another version": changed("metadata", "resourceVersion", to="2"),
}


@pytest.mark.parametrize("now", NEWS.values(), ids=NEWS)
def test_what_it_offers_is_news(now: dict[str, Any] | None) -> None:
    assert offers_something_else(NODE, now)
    assert offers_something_else(now, NODE)


@pytest.mark.parametrize("now", NO_NEWS.values(), ids=NO_NEWS)
def test_everything_else_is_none(now: dict[str, Any]) -> None:
    assert not offers_something_else(NODE, now)

"""How replicas split over pools: the autoscaler's word while it is for this number, else the stated order."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.controller.modeldeployment.pools import split

OFF = "off"
POOLS = {"spot": (0, 6), "reserved": (1, 4)}


@dataclass(frozen=True)
class Case:
    replicas: int
    want: dict[str, int]
    said_for: int | None = None
    said: dict[str, int] = field(default_factory=dict)
    state: str = "Active"
    was: dict[str, int] = field(default_factory=dict)
    mode: str = "active"


CASES = {
    "none are wanted: none run": Case(0, {"spot": 0, "reserved": 0}),
    "one is wanted: the minimum goes first": Case(1, {"spot": 0, "reserved": 1}),
    "then the preferred pool fills up": Case(5, {"spot": 4, "reserved": 1}),
    "then the next": Case(9, {"spot": 6, "reserved": 3}),
    "more than all may take: the last takes them": Case(12, {"spot": 6, "reserved": 6}),
    "the autoscaler's split counts": Case(5, {"spot": 1, "reserved": 4}, 5, {"spot": 1, "reserved": 4}),
    "its split for another number does not": Case(5, {"spot": 4, "reserved": 1}, 4, {"reserved": 4}),
    "nor one that does not add up": Case(5, {"spot": 4, "reserved": 1}, 5, {"reserved": 4}),
    "nor one that is advice": Case(5, {"spot": 4, "reserved": 1}, 5, {"reserved": 5}, "Advising"),
    "nothing moves while it is about to write another number": Case(
        5, {"spot": 1, "reserved": 4}, 6, {"spot": 4, "reserved": 2}, was={"spot": 1, "reserved": 4}
    ),
    "nothing moves when it is switched off": Case(
        5,
        {"spot": 1, "reserved": 4},
        5,
        {"spot": 1, "reserved": 4},
        was={"spot": 1, "reserved": 4},
        mode="off",
    ),
    "another's number is split in order, though it was once the autoscaler's": Case(
        5,
        {"spot": 4, "reserved": 1},
        5,
        {"spot": 1, "reserved": 4},
        was={"spot": 5, "reserved": 1},
        mode="off",
    ),
    "nor one that names a pool that is gone": Case(5, {"spot": 4, "reserved": 1}, 5, {"old": 5}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_split(case: Case) -> None:
    pools = [
        {"name": name, "accelerator": "L40S", "minReplicas": least, "maxReplicas": most}
        for name, (least, most) in POOLS.items()
    ]
    status: dict[str, Any] = {}
    if case.said_for is not None:
        said = [{"name": name, "replicas": replicas} for name, replicas in case.said.items()]
        status = {
            "scaling": {"forReplicas": case.said_for, "pools": said, "state": case.state},
            "pools": [{"name": name, "replicas": replicas} for name, replicas in case.was.items()],
        }
    deployment = ModelDeployment.model_validate(
        {
            "metadata": {"name": "m"},
            "spec": {
                "model": {"source": "hf://a/b"},
                "engine": {"name": "vllm"},
                "hardware": {"pools": pools},
                "replicas": case.replicas,
                "scaling": {"mode": case.mode, "maxReplicas": 20},
            },
            "status": status,
        }
    )
    found = split(deployment, list(POOLS))
    assert found == case.want
    assert sum(found.values()) == case.replicas


def test_one_pool_takes_all() -> None:
    deployment = ModelDeployment.model_validate(
        {
            "metadata": {"name": "m"},
            "spec": {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}, "replicas": 7},
        }
    )
    assert split(deployment, ["default"]) == {"default": 7}

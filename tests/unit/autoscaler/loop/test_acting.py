"""What is written where others write at the same time."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pointsman.kube.errors import Conflict
from pointsman.kube.objects import KubeObject
from pointsman.kube.ports import Reader, Writer
from pointsman_autoscaler.loop.acting import Actor
from pointsman_autoscaler.loop.cluster import scaled
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics
from pointsman_autoscaler.loop.steps import Told, Wish
from tests.support import manifests


@dataclass
class Server:
    """Holds one deployment; `conflicts` writes of the number come after somebody else's."""

    conflicts: int
    live: dict[str, Any] = field(
        default_factory=lambda: manifests.deployment("m", spec={"scaling": {"maxReplicas": 9}})
    )
    scaled_to: list[int] = field(default_factory=list)
    said: int = 0
    told: list[str] = field(default_factory=list)

    async def get(self, *_: object) -> KubeObject:
        return copy.deepcopy(self.live)

    async def apply_status(self, wanted: KubeObject, _: str) -> KubeObject:
        self.said += 1
        self.live["status"] = {**self.live.get("status", {}), **wanted["status"]}
        return copy.deepcopy(self.live)

    async def scale(self, _kind: object, _key: object, replicas: int, *_: object, **_more: object) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("the object has been modified")
        self.scaled_to.append(replicas)

    def announce(self, _: KubeObject, told: Told) -> None:
        self.told.append(told.reason)


@pytest.mark.parametrize(("conflicts", "want"), [(0, [4]), (1, [4]), (2, [])])
async def test_a_number_is_written_though_a_status_was_written_in_between(
    conflicts: int, want: list[int]
) -> None:
    """Requests wait: the next decision would be a quarter of a minute later."""
    server = Server(conflicts)
    known = scaled(server.live)
    assert known is not None
    actor = Actor(cast(Reader, server), cast(Writer, server), server.announce, AutoscalerMetrics())
    await actor.act(known, Wish({"default": 4}, "four are needed"))
    assert server.scaled_to == want
    assert server.said == 1
    assert server.told == (["Scaled"] if want else [])

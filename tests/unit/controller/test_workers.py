"""Keys are worked on by several workers; one that may no longer write ends them all, as what it is."""

from __future__ import annotations

from random import Random

import pytest

from pointsman.api import ObjectKey
from pointsman.controller.identity import Ident
from pointsman.controller.metrics import OperatorMetrics
from pointsman.controller.work_queue import WorkQueue
from pointsman.controller.workers import Workers
from pointsman.kube.errors import LeadershipLost


async def test_a_worker_that_lost_its_lease_ends_all_with_just_that() -> None:
    """Who runs the election waits for this very error to stand for it again."""
    queue: WorkQueue[Ident] = WorkQueue(Random(1))
    for name in ("a", "b"):
        queue.add(Ident("ModelDeployment", ObjectKey("models", name)))

    async def reconcile(_: Ident) -> float | None:
        raise LeadershipLost("another one leads")

    with pytest.raises(LeadershipLost):
        await Workers(queue, reconcile, OperatorMetrics()).run()

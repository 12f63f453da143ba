"""Numbers of replicas beside the files: who wrote them, and when whose counts."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.api.modeldeployment_status import ScalingState, ScalingStatus
from pointsman.local.engines.plan import Phase, ReplicaView
from pointsman.local.numbers import Numbers
from pointsman.local.scaling import engines_seen, most_replicas
from tests.support.builders import deployment, hosted, key

M = key("m")


def stated(replicas: int = 1, mode: str = "active", **spec: Any) -> ModelDeployment:
    scaling = {"mode": mode, "minReplicas": 1, "maxReplicas": 5}
    return deployment("m", engine="llama.cpp", replicas=replicas, spec={"scaling": scaling, **spec})


def numbers(former: ScalingStatus | None = None) -> Numbers:
    return Numbers(lambda _: former)


def live(of: Numbers, *deployments: ModelDeployment) -> list[int]:
    found = of.live({one.key: one for one in deployments})
    return [one.spec.replicas for one in found.values()]


def test_a_file_states_the_first_number_and_decisions_the_next_ones() -> None:
    found, file = numbers(), stated(2)
    assert live(found, file) == [2]
    assert not found.is_ours(M)
    said = ScalingStatus(for_replicas=4, state=ScalingState.ACTIVE, reason="4 replicas: why")
    found.write(M, said, 4)
    (after,) = found.live({M: file}).values()
    assert (after.spec.replicas, after.status.scaling) == (4, said)
    assert found.is_ours(M)
    assert file.spec.replicas == 2


@pytest.mark.parametrize(("number", "first"), [(1, 2), (2, 2), (3, 3), (9, 4)])
def test_the_first_number_is_within_what_scaling_allows(number: int, first: int) -> None:
    scaling = {"mode": "active", "minReplicas": 2, "maxReplicas": 4}
    assert live(numbers(), stated(number, scaling=scaling)) == [first]
    # Limits that were edited while nothing ran hold for the number of the earlier run too.
    former = ScalingStatus(for_replicas=number, state=ScalingState.ACTIVE)
    assert live(numbers(former), stated(1, scaling=scaling)) == [first]
    # Advice changes nothing.
    assert live(numbers(), stated(number, scaling={**scaling, "mode": "advise"})) == [number]


def test_another_edit_leaves_the_number_and_a_number_in_the_file_counts_anew() -> None:
    found = numbers()
    live(found, stated(2))
    found.write(M, None, 4)
    assert live(found, stated(2, drain={"timeout": "9s"})) == [4]
    assert live(found, stated(3)) == [3]
    assert not found.is_ours(M)


def test_what_did_not_change_is_the_same_object_again() -> None:
    found, file = numbers(), stated()
    assert found.live({M: file})[M] is found.live({M: file})[M]


def test_a_restart_goes_on_from_what_was_decided_last() -> None:
    found = numbers(ScalingStatus(for_replicas=4, state=ScalingState.METRICS_BLIND))
    assert live(found, stated(1)) == [4]
    assert found.is_ours(M)


def test_a_restart_starts_nothing_that_nobody_asked_for() -> None:
    at_zero = ScalingStatus(for_replicas=0, state=ScalingState.ACTIVE)
    resting = stated(2, scaling={"mode": "active", "maxReplicas": 5, "idle": {"after": "5m"}})
    assert live(numbers(at_zero), resting) == [0]
    # One that may not be at zero is not left there, nor one of which nothing was decided.
    assert live(numbers(at_zero), stated(2)) == [2]
    assert live(numbers(ScalingStatus(state=ScalingState.METRICS_BLIND)), resting) == [2]


def test_advice_changes_nothing_neither_now_nor_after_a_restart() -> None:
    found = numbers(ScalingStatus(for_replicas=4, state=ScalingState.ADVISING))
    file = stated(1, mode="advise")
    assert live(found, file) == [1]
    found.write(M, ScalingStatus(for_replicas=5, state=ScalingState.ADVISING), None)
    assert live(found, file) == [1]
    assert live(found, stated(1)) == [1]


def test_who_is_scaled_no_more_has_the_number_of_the_file() -> None:
    found = numbers()
    live(found, stated(1))
    found.write(M, None, 4)
    assert live(found, stated(1, mode="off")) == [1]
    found.write(M, None, 5)
    assert live(found, stated(1)) == [1]
    assert live(found, hosted("h", "https://api.openai.com/v1"), deployment("plain", replicas=2)) == [1, 2]
    assert not found.keys


def test_cores_are_shared_by_as_many_as_there_may_be() -> None:
    assert most_replicas(stated(1)) == 5
    assert most_replicas(stated(1, mode="advise")) == 1
    assert most_replicas(deployment("plain", replicas=2)) == 2


def test_a_slot_that_is_used_again_is_another_replica() -> None:
    former, ready, later = engines_seen(
        [
            ReplicaView(0, "h", Phase.DRAINING, created_seconds=1.0, ready_seconds=2.0),
            ReplicaView(1, "h", Phase.READY, 41001, created_seconds=1.0, ready_seconds=3.0),
            ReplicaView(0, "h", Phase.STARTING, created_seconds=9.0),
        ]
    )
    assert len({former.name, ready.name, later.name}) == 3
    assert (former.is_draining, ready.is_ready, later.is_ready) == (True, True, False)
    assert (ready.created_seconds, ready.ready_seconds, later.ready_seconds) == (1.0, 3.0, None)

"""What rules find in objects that are there: each change once, a piece at a time, nothing twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman.controller.guardrailpolicy.findings import Findings
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.kube.objects import MODEL_DEPLOYMENT, Kind, KubeObject
from tests.support.policies import compiled, rule
from tests.support.polling import eventually_async

Json = dict[str, Any]

_POLICY = ObjectKey("", "house")


class World:
    """Some ModelDeployments, a policy, and who is told."""

    def __init__(self, count: int) -> None:
        self.objects: dict[ObjectKey, KubeObject] = {
            ObjectKey("team", f"model-{number:03}"): _deployment(f"model-{number:03}")
            for number in range(count)
        }
        self.told: list[ObjectKey] = []
        self.looks = 0
        self.in_force = InForce()
        self.findings = Findings(
            self.in_force, self._look, self._places, self.told.append, lambda: datetime.now(UTC)
        )

    def _look(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        self.looks += 1
        return self.objects.get(key)

    def _places(self) -> list[tuple[Kind, ObjectKey]]:
        return [(MODEL_DEPLOYMENT, key) for key in self.objects]

    async def settled(self) -> None:
        """Until nothing is due."""
        running = asyncio.create_task(self.findings.run())
        await eventually_async(lambda: self.findings.is_idle, 20, "all was looked at")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _deployment(name: str, **spec: Any) -> Json:
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}, **spec},
    }


@pytest.mark.asyncio
async def test_all_are_counted_and_fifty_are_shown() -> None:
    world = World(60)
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))

    await world.settled()

    found = world.findings.of(_POLICY)
    assert (found.total, len(found.first)) == (60, 50)
    assert [one.name for one in found.first[:2]] == ["model-000", "model-001"]
    assert world.told == [_POLICY]


@pytest.mark.asyncio
async def test_a_change_is_one_look_and_is_told_only_if_it_changes_what_is_found() -> None:
    world = World(3)
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))
    await world.settled()
    key = ObjectKey("team", "model-001")
    world.findings.saw(MODEL_DEPLOYMENT, key)
    await world.settled()
    world.told.clear()
    world.looks = 0

    world.objects[key] = {**world.objects[key], "status": {"phase": "Ready"}}
    world.findings.saw(MODEL_DEPLOYMENT, key)
    await world.settled()
    assert (world.looks, world.told) == (1, [])

    world.objects[key] = _deployment("model-001", license="mit")
    world.findings.saw(MODEL_DEPLOYMENT, key)
    await world.settled()
    assert (world.findings.of(_POLICY).total, world.told) == (2, [_POLICY])

    del world.objects[ObjectKey("team", "model-002")]
    world.findings.saw(MODEL_DEPLOYMENT, ObjectKey("team", "model-002"))
    await world.settled()
    assert world.findings.of(_POLICY).total == 1


@pytest.mark.asyncio
async def test_labels_of_a_namespace_decide_which_policies_are_for_it() -> None:
    world = World(1)
    selector = {"namespaceSelector": {"matchLabels": {"stage": "prod"}}}
    world.in_force.hold(_POLICY, compiled({"appliesTo": selector, "rules": [rule("OWN-1")]}))
    await world.settled()
    assert world.findings.of(_POLICY).total == 0

    world.in_force.saw_namespace("team", {"stage": "prod"})
    await world.settled()

    assert world.findings.of(_POLICY).total == 1


@pytest.mark.asyncio
async def test_a_policy_that_is_gone_finds_nothing() -> None:
    world = World(1)
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))
    await world.settled()

    world.in_force.forget(_POLICY)

    assert world.findings.of(_POLICY).total == 0


@pytest.mark.asyncio
async def test_a_policy_that_changes_all_the_time_holds_up_no_other() -> None:
    world = World(300)
    other = ObjectKey("", "other")
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))
    running = asyncio.create_task(world.findings.run())
    world.in_force.hold(other, compiled({"rules": [rule("OWN-1")]}))

    async def edited() -> None:
        while other not in world.told:
            world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))
            await asyncio.sleep(0)

    await asyncio.wait_for(edited(), 30)

    assert world.findings.of(other).total == 300
    assert not world.findings.of(_POLICY).is_complete
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.asyncio
async def test_an_object_that_cannot_be_judged_ends_nothing() -> None:
    world = World(3)
    world.objects[ObjectKey("team", "model-001")] = {"metadata": {"name": 1}, "spec": "no mapping"}
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))

    await world.settled()

    assert [one.name for one in world.findings.of(_POLICY).first if one.name != "model-001"] == [
        "model-000",
        "model-002",
    ]


@pytest.mark.asyncio
async def test_no_rule_is_for_a_namespace_that_is_left_out() -> None:
    world = World(3)
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}), ["team"])

    await world.settled()

    assert world.findings.of(_POLICY).total == 0


@pytest.mark.asyncio
async def test_who_leads_again_begins_with_nothing() -> None:
    world = World(3)
    world.in_force.hold(_POLICY, compiled({"rules": [rule("OWN-1")]}))

    world.in_force.begin()
    world.findings.saw(MODEL_DEPLOYMENT, ObjectKey("team", "model-001"))
    await world.settled()

    assert (world.findings.of(_POLICY).total, world.told, world.looks) == (0, [], 0)

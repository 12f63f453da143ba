"""Rules in the background: looked at again when what is beside an object changes, and as days pass."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman.controller.children import Children
from pointsman.controller.guardrailpolicy.findings import Findings
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.guardrailpolicy.surroundings import Surroundings
from pointsman.kube.objects import MODEL_DEPLOYMENT, MODEL_ROUTE, NETWORK_POLICY, Kind, KubeObject
from pointsman.policy.packs import shipped_library
from tests.support.policies import compiled
from tests.support.polling import eventually_async

Json = dict[str, Any]

_POLICY = ObjectKey("", "house")
_CHAT = ObjectKey("team", "chat")
_SPEC = {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}, "replicas": 1}


def alone(pack: str, rule: str, **parameters: Any) -> Json:
    """A policy of one rule of a pack."""
    others = [name for name in shipped_library().packs[pack].rules if name != rule]
    return {"packs": [{"name": pack, "exclude": others, "parameters": parameters}]}


class World:
    """Deployments, routes and what they own, as the operator sees them."""

    def __init__(self, spec: Json, crowd_seconds: float = 0.0) -> None:
        self.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
        self.objects: dict[tuple[Kind, ObjectKey], KubeObject] = {}
        self.counted = 0
        self.children = Children(lambda _: None)
        self.in_force = InForce()
        self.findings = Findings(
            self.in_force,
            lambda kind, key: self.objects.get((kind, key)),
            lambda: list(self.objects),
            lambda _: None,
            lambda: self.now,
            crowd_seconds=crowd_seconds,
        )
        self.findings.look_beside(Surroundings(self, self.children).of)
        self.in_force.hold(_POLICY, compiled(spec))

    def __iter__(self) -> Any:
        """Each time that all are asked for."""
        self.counted += 1
        return iter([key for kind, key in self.objects if kind == MODEL_DEPLOYMENT])

    def get(self, key: ObjectKey) -> KubeObject | None:
        return self.objects.get((MODEL_DEPLOYMENT, key))

    def put(self, kind: Kind, key: ObjectKey, **parts: Any) -> bool:
        """There from now on; gives whether it came."""
        meta = {"name": key.name, "namespace": key.namespace, **parts.pop("metadata", {})}
        self.objects[kind, key] = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": meta,
            **parts,
        }
        return self.findings.saw(kind, key)

    def drop(self, kind: Kind, key: ObjectKey) -> bool:
        del self.objects[kind, key]
        return self.findings.saw(kind, key)

    async def found(self) -> dict[str, str]:
        """Objects and messages, once nothing is due."""
        running = asyncio.create_task(self.findings.run())
        await eventually_async(lambda: self.findings.is_idle, 20, "all was looked at")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return {
            f"{one.kind} {one.name}": one.message.partition(":")[0] for one in self.findings.of(_POLICY).first
        }


@pytest.mark.asyncio
async def test_a_route_is_looked_at_again_when_its_deployment_goes_or_comes() -> None:
    world = World(alone("reliability", "REL-10"))
    route = ObjectKey("team", "public")
    world.put(MODEL_DEPLOYMENT, _CHAT, spec=_SPEC)
    world.put(MODEL_ROUTE, route, spec={"models": ["m"], "rules": [{"targets": [{"deployment": "chat"}]}]})
    assert await world.found() == {}

    assert world.drop(MODEL_DEPLOYMENT, _CHAT)
    world.findings.look_again(MODEL_ROUTE, route)
    assert await world.found() == {"ModelRoute public": "chat"}

    assert world.put(MODEL_DEPLOYMENT, _CHAT, spec=_SPEC)
    world.findings.look_again(MODEL_ROUTE, route)
    assert await world.found() == {}


@pytest.mark.asyncio
async def test_a_namespace_is_found_with_the_sum_of_its_deployments_and_goes_with_them() -> None:
    world = World(alone("cost", "COST-02-SUM", maxNamespaceAccelerators=3))
    for name, namespace in (("chat", "team"), ("code", "team"), ("chat", "other")):
        world.put(MODEL_DEPLOYMENT, ObjectKey(namespace, name), spec={**_SPEC, "replicas": 2})

    said = "4 accelerators, where 3 are allowed; the largest are chat 2, code 2"
    assert await world.found() == {"Namespace team": said}

    world.put(MODEL_DEPLOYMENT, _CHAT, spec=_SPEC)
    assert await world.found() == {}

    world.put(MODEL_DEPLOYMENT, _CHAT, spec={**_SPEC, "replicas": 9})
    assert await world.found() != {}
    world.drop(MODEL_DEPLOYMENT, _CHAT)
    world.drop(MODEL_DEPLOYMENT, ObjectKey("team", "code"))
    assert await world.found() == {}


@pytest.mark.asyncio
async def test_a_crowd_of_changes_is_one_count() -> None:
    world = World(alone("cost", "COST-02-SUM", maxNamespaceAccelerators=3), crowd_seconds=0.1)
    running = asyncio.create_task(world.findings.run())
    for number in range(200):
        world.put(MODEL_DEPLOYMENT, ObjectKey("team", f"model-{number}"), spec=_SPEC)
        for _ in range(5):  # as many as a look takes
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert list(await world.found()) == ["Namespace team"]
    assert 1 <= world.counted < 100


@pytest.mark.asyncio
async def test_a_network_policy_that_goes_is_missed_as_soon_as_it_is_gone() -> None:
    world = World(alone("baseline-security", "SEC-10"))
    world.put(MODEL_DEPLOYMENT, _CHAT, spec=_SPEC, status={"replicas": 1})
    policy = {
        "apiVersion": NETWORK_POLICY.api_version,
        "kind": NETWORK_POLICY.kind,
        "metadata": {
            "name": "chat",
            "namespace": "team",
            "uid": "1",
            "labels": {"pointsman.dev/deployment": "chat"},
        },
        "spec": {"policyTypes": ["Ingress", "Egress"]},
    }
    hear = world.children.listener(NETWORK_POLICY)

    hear(None, policy)
    world.findings.saw_child(None, policy)
    assert await world.found() == {}

    hear(policy, None)
    world.findings.saw_child(policy, None)
    assert await world.found() == {"ModelDeployment chat": "none is there"}

    world.put(MODEL_DEPLOYMENT, _CHAT, spec=_SPEC, status={"replicas": 0})
    assert await world.found() == {}, "without pods there is nothing to hold"


@pytest.mark.asyncio
async def test_what_ends_with_a_day_is_found_on_the_next() -> None:
    world = World(alone("cost", "COST-08-AGE"))
    labels = {"pointsman.dev/expires": "2026-11-30"}
    world.put(MODEL_DEPLOYMENT, _CHAT, metadata={"labels": labels}, spec=_SPEC)
    assert await world.found() == {}

    world.now += timedelta(hours=12)
    world.in_force.again(_POLICY)

    assert await world.found() == {"ModelDeployment chat": "it ended on 2026-11-30"}

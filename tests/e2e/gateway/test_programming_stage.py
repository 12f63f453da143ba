"""What gateways say of routes is worked out again when it may be something else, and not for each replica."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from pointsman.routing import Endpoint
from tests.e2e.gateway.scene import Scene
from tests.support.builders import deployment, hosted, key, route, routing_input, secret
from tests.support.polling import eventually_async

MALFORMED = "not a certificate"


async def settled(scene: Scene) -> None:
    await scene.gateway.ready(30)


async def test_replicas_that_come_and_go_change_nothing_of_it(scene: Scene) -> None:
    engine = await scene.engine("own")
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [engine.port]})
    await scene.programmed("chat")
    before, said = scene.gateway.stage, scene.gateway.programming()
    for number in range(3):
        more = (Endpoint("127.0.0.1", engine.port), Endpoint("127.0.0.2", 1000 + number))
        scene.tell(replace(scene.given, endpoints={key("own"): more}))
        await settled(scene)
    assert scene.gateway.stage == before
    assert scene.gateway.programming() == said


async def test_whatever_makes_a_difference_to_it_changes_it(scene: Scene) -> None:
    engine = await scene.engine("own")
    own, endpoints = deployment("own"), {"own": [engine.port]}
    await scene.serve(own, route("chat", ["own"]), endpoints=endpoints)
    await scene.programmed("chat")
    seen = {(scene.gateway.stage, scene.programming("chat"))}

    def is_new() -> bool:
        """It says something else, and so does the stage."""
        now = (scene.gateway.stage, scene.programming("chat"))
        assert now[1] not in {said for _, said in seen}
        assert now[0] not in {stage for stage, _ in seen}
        seen.add(now)
        return True

    edited = route("chat", ["own"], models=["chat", "talk"], generation=2)
    scene.tell(routing_input(own, edited, endpoints=endpoints))
    await eventually_async(is_new, 30, "an edit waits")
    await scene.programmed("chat")
    await eventually_async(is_new, 30, "it is in use")
    far = hosted("far", "https://localhost:1/v1", ca_certificates=("authority", "ca"))
    bad = secret("authority", {"ca": MALFORMED})
    refused = route("chat", ["far"], generation=3)
    scene.tell(routing_input(own, far, bad, refused, endpoints=endpoints))
    await eventually_async(lambda: not scene.programming("chat").accepted, 30, "Envoy refuses it")
    await eventually_async(is_new, 30, "that is said")
    scene.tell(routing_input(own, edited, endpoints=endpoints))
    await scene.programmed("chat")
    pid = scene.gateway.envoy.pid
    assert pid is not None
    seen = {(scene.gateway.stage, scene.programming("chat"))}
    os.kill(pid, signal.SIGKILL)
    await eventually_async(lambda: not scene.programming("chat").programmed, 30, "Envoy is away")
    assert is_new()

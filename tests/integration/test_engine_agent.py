"""The agent beside a real engine, in the pod that is rendered for it: when it is ready, drains, hangs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, NotPlaced, place
from pointsman.workloads import AGENT_PORT, PORT, Images, Surroundings, freeze, render
from tests.integration.conditions import facts, seen
from tests.integration.operator.deployments import IMAGE, own
from tests.support.clients import OpenAIClient
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import NodeSettings, RunningNode
from tests.support.packaged_weights import gemma_file
from tests.support.polling import eventually_async

pytestmark = pytest.mark.timeout(500)

Json = dict[str, Any]

EXAMPLES = Path(__file__).parents[2] / "examples"

STREAM_TOKENS = 400
"""More than an engine on two cores makes while the gateways may not know yet that its pod ends."""
SLOW_SECONDS = 240
"""Within that it has started, or made them, on a machine that does much else."""


@pytest.fixture
def node(control_plane: ControlPlane, tmp_path: Path) -> Iterator[RunningNode]:
    folder = tmp_path / "image"
    folder.mkdir()
    os.link(gemma_file(tmp_path / "cache"), folder / "weights.gguf")
    settings = NodeSettings(
        name="node-agent",
        cpu="64",
        image_volumes={IMAGE: str(folder)},
        longest_probe_period_seconds=1.0,
        restart_backoff_seconds=0.2,
    )
    with RunningNode(control_plane, settings) as running:
        yield running


def rendered(stated: Json) -> list[Json]:
    """What the pod of a deployment needs, and the pod, as its template says it."""
    deployment = ModelDeployment.model_validate(stated)
    placed = place(deployment, FleetSettings(), shipped_catalog(), Inventory({}))
    assert not isinstance(placed, NotPlaced)
    around = Surroundings(image_volumes=True)
    images = Images(agent="pointsman:test")
    rendering = freeze(deployment, placed, shipped_catalog(), images, surroundings=around)
    objects = render(deployment, rendering, {"default": 1}, around)
    (template,) = (one["spec"]["template"] for one in objects if one["kind"] == "Deployment")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        **template,
        "metadata": {**template["metadata"], "name": "chat"},
    }
    return [*(one for one in objects if one["kind"] == "ConfigMap"), pod]


async def ready_pod(admin: Admin, namespace: str, stated: Json | None = None) -> str:
    """Its address."""
    for made in rendered(stated or own("chat")):
        metadata = {key: made["metadata"].get(key, {}) for key in ("labels", "annotations")}
        admin.create({**made, "metadata": {**metadata, "name": made["metadata"]["name"]}}, namespace)
    return str(
        (await seen(admin, namespace, "chat", ready=True, within_seconds=SLOW_SECONDS))["status"]["podIP"]
    )


async def test_the_quickstart_runs_in_a_cluster_as_it_is(
    node: RunningNode, admin: Admin, namespace: str
) -> None:
    stated = next(yaml.safe_load_all((EXAMPLES / "quickstart" / "deployments.yaml").read_text()))
    address = await ready_pod(admin, namespace, stated)
    async with OpenAIClient(f"http://{address}:{PORT}") as client:
        answer = await client.chat("chat-primary", "What is the capital of France?")
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]


async def agent_says(address: str, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}:{AGENT_PORT}{path}") as answer,
    ):
        return answer.status, (await answer.text()).strip()


async def test_it_is_ready_after_a_real_token_and_a_running_stream_outlives_its_pod(
    node: RunningNode, admin: Admin, namespace: str
) -> None:
    stated = own("chat", drain={"timeout": f"{SLOW_SECONDS}s"})
    address = await ready_pod(admin, namespace, stated)
    status, page = await agent_says(address, "/metrics")
    told = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert status == 200
    assert float(told["pointsman_engine_steps_total"]) >= 1, "it became ready without a token"
    async with OpenAIClient(f"http://{address}:{PORT}") as client:
        stream = asyncio.create_task(
            client.stream_chat(
                "chat",
                "Count on and on.",
                max_tokens=STREAM_TOKENS,
                ignore_eos=True,
                deadline_seconds=SLOW_SECONDS,
            )
        )

        async def runs() -> bool:
            return "pointsman_engine_requests_running 1.0" in (await agent_says(address, "/metrics"))[1]

        await eventually_async(runs, 60, "the stream runs")
        admin.delete("v1", "Pod", "chat", namespace)
        await eventually_async(lambda: "drains" in node.log(namespace, "chat", "agent"), 30, "it drains")
        assert (await agent_says(address, "/readyz"))[0] == 503
        answer = await stream
    assert answer.ok, str(answer)
    await eventually_async(lambda: "drained" in node.log(namespace, "chat", "agent"), 30, "it has drained")
    await eventually_async(lambda: admin.find("v1", "Pod", "chat", namespace) is None, 60, "the pod is gone")


async def test_an_engine_that_hangs_gets_no_requests_and_is_started_again(
    node: RunningNode, admin: Admin, namespace: str
) -> None:
    address = await ready_pod(admin, namespace)
    assert await agent_says(address, "/engine") == (200, "lives")
    os.kill(node.pid(namespace, "chat", "engine"), signal.SIGSTOP)
    await seen(admin, namespace, "chat", ready=False)
    assert await agent_says(address, "/engine") == (200, "lives"), "given up too early"

    async def told() -> bool:
        return (await agent_says(address, "/engine")) == (503, "hangs: the engine does not answer")

    await eventually_async(told, 60, "the agent says that its engine hangs")

    def again() -> bool:
        known = facts(admin.get("v1", "Pod", "chat", namespace))
        return bool(known["ready"] and known["restarts"] == 1)

    await eventually_async(again, 60, "it was started again and serves")
    assert await agent_says(address, "/engine") == (200, "lives")

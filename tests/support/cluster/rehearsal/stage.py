"""An installation as a chart makes it: operator, gateways and engines as pods, a Service's clients before it.

The gateways reach the API server by way of a proxy that can delay what their watches tell.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

from tests.support import manifests
from tests.support.chart import render
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.definitions import install_definitions
from tests.support.cluster.faults import FaultProxy
from tests.support.cluster.process_node import GPU_TAINT, NodeSettings, RunningNode, gpu_labels
from tests.support.cluster.rehearsal.load import Load, Noticed
from tests.support.cluster.service import Service
from tests.support.event_loop_thread import EventLoopThread
from tests.support.every_model_hub import EveryModelHub
from tests.support.polling import eventually

SYSTEM = "pointsman-system"
GATEWAY = "pointsman-gateway"
API = "pointsman.dev/v1alpha1"
MODEL = "chat"
GATEWAY_PORT, ENGINE_PORT = 8080, 8000

Json = dict[str, Any]

_HOST = "10.244.0.1"
_ON = "pointsman.test/runs"
_SECONDS = 90.0
_LOG_TAIL = 3000
_STREAMS = 12
_SCRIPT = {"behaviour": {"chunks": 1000, "gap_seconds": 0.1, "obeys_max_tokens": True}}

VALUES: Json = {
    "autoscaler": {"enabled": False},
    "operator": {"replicas": 1, "nodeSelector": {_ON: "operator"}},
    "gateway": {
        "replicas": 1,
        "autoscaling": {"enabled": False},
        "nodeSelector": {_ON: "gateways"},
        "terminationGracePeriodSeconds": 60,
    },
    "crds": {"install": False},
}


class Stage:
    """Use as a context manager, in a network of its own (`own_network`)."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._load: Load | None = None
        self._nodes: list[RunningNode] = []

    def __enter__(self) -> Stage:
        try:
            self._enter()
        except BaseException:
            print(self.logs(), file=sys.stderr)
            self._stack.close()
            raise
        return self

    def logs(self) -> str:
        """The end of what each container wrote."""
        found = []
        for node in self._nodes:
            for place in node.pods():
                namespace, pod = place.split("/")
                for container in ("operator", "gateway", "engine", "agent", "weights"):
                    with suppress(KeyError):
                        text = node.log(namespace, pod, container)
                        found.append(f"--- {place} {container}\n{text[-_LOG_TAIL:]}")
        return "\n".join(found)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _enter(self) -> None:
        enter = self._stack.enter_context
        plane = enter(ControlPlane.start(Options(audit=False)))
        self.admin: Admin = plane.admin
        self._loop = enter(EventLoopThread("clients"))
        access = plane.access()
        self._proxy = FaultProxy(
            plane.server,
            access.tls_context(),
            host=_HOST,
            serving=plane.server_certificate((_HOST,)).server_context(),
        )
        self._entered(self._proxy)
        hub = EveryModelHub({})
        self._entered(hub)
        self._service = Service(access, SYSTEM, GATEWAY)
        self._entered(self._service)
        node = NodeSettings(name="operators", cpu="16", labels={_ON: "operator"}, resync_seconds=2.0)
        gateways = replace(node, name="gateways", labels={_ON: "gateways"}, api_server=self._proxy.address)
        engines = replace(
            node,
            name="engines",
            gpus=8,
            memory="1Ti",
            labels=gpu_labels("NVIDIA-L4", memory_mebibytes=23034, count=8),
            taints=(GPU_TAINT,),
            environment={"HF_ENDPOINT": hub.url},
        )
        for number, settings in enumerate((node, gateways, engines), 1):
            network = f"10.244.{number}.0/24"
            self._nodes.append(enter(RunningNode(plane, replace(settings, pod_network=network))))
        self._install()

    def _entered(self, context: Any) -> None:
        self._loop.call(context.__aenter__())
        self._stack.callback(lambda: self._loop.call(context.__aexit__(None, None, None)))

    def _install(self) -> None:
        admin = self.admin
        install_definitions(admin)
        admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
        admin.wait_for("v1", "ServiceAccount", "default", SYSTEM)
        for one in render(VALUES, namespace=SYSTEM):
            admin.apply(one, SYSTEM)
        script = {"name": "ENGINE_SCRIPT", "value": json.dumps(_SCRIPT)}
        # A version that cuts what runs when it is asked to end: nothing but the drain keeps answers whole.
        overlay = {"engine": {"env": [script], "version": "0.17.0"}, "drain": {"timeout": "30s"}}
        facts = {"parameters": "1B", "layers": 16, "kvHeads": 8, "headDim": 64}
        overlay["model"] = {"facts": facts, "revision": "0" * 40, "contextLength": 8192}
        admin.create(manifests.deployment(MODEL, replicas=1, max_concurrency=64, spec=overlay))
        admin.create(manifests.route(MODEL, [MODEL]))
        admin.wait_for(API, "ModelRoute", MODEL, until=_is_ready, within_seconds=_SECONDS)

    # What a scenario does.

    def lag(self, seconds: float) -> None:
        """From now on gateways and clients hear so much later of what changes."""
        self._proxy.watches.delay_seconds = seconds
        self._service.lag_seconds = seconds

    def start_load(self) -> None:
        """Once the clients' side has heard of every gateway."""
        gateways = sorted(self.gateways().values())
        eventually(lambda: sorted(self._service.addresses) == gateways, _SECONDS, f"{gateways} are known")
        self._service.connections.clear()
        self._load = Load(self._service, GATEWAY_PORT, MODEL)
        self._loop.call(self._load.start())

    def wait_streams(self) -> None:
        """Until so many more have ended that they begin and end at any moment."""
        assert self._load is not None, "no load was begun"
        noticed = self._load.noticed
        enough = noticed.streams + _STREAMS
        eventually(lambda: noticed.streams >= enough, _SECONDS, f"{enough} streams have ended")

    def end_load(self) -> Noticed:
        assert self._load is not None, "no load was begun"
        return self._loop.call(self._load.end(), _SECONDS)

    def scale_engines(self, count: int) -> None:
        self.admin.patch(API, "ModelDeployment", MODEL, {"spec": {"replicas": count}})

    def change_engines(self, change: Json) -> None:
        self.admin.patch(API, "ModelDeployment", MODEL, {"spec": change})

    def scale_gateways(self, count: int) -> None:
        self.admin.patch("apps/v1", "Deployment", GATEWAY, {"spec": {"replicas": count}}, SYSTEM)

    def restart_gateways(self, mark: str) -> None:
        """What `kubectl rollout restart` does."""
        annotations = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": mark}}}
        self.admin.patch("apps/v1", "Deployment", GATEWAY, {"spec": {"template": annotations}}, SYSTEM)

    # What it looks at.

    def engines(self) -> dict[str, str]:
        """Address by name of the ready pods, those that end too."""
        return self._ready("default", f"pointsman.dev/deployment={MODEL}")

    def gateways(self) -> dict[str, str]:
        return self._ready(SYSTEM, "app.kubernetes.io/component=gateway")

    def _ready(self, namespace: str, labels: str) -> dict[str, str]:
        return {
            pod["metadata"]["name"]: pod["status"]["podIP"]
            for pod in self.admin.list("v1", "Pod", namespace, labels=labels)
            if _is_ready(pod) and not pod["metadata"].get("deletionTimestamp")
        }

    def pods(self, namespace: str, labels: str) -> int:
        return len(self.admin.list("v1", "Pod", namespace, labels=labels))

    def wait_engines(self, count: int, *, without: frozenset[str] = frozenset()) -> dict[str, str]:
        """Once there are so many pods, all ready and none of these."""
        return self._settled("default", f"pointsman.dev/deployment={MODEL}", count, without)

    def wait_gateways(self, count: int, *, without: frozenset[str] = frozenset()) -> dict[str, str]:
        return self._settled(SYSTEM, "app.kubernetes.io/component=gateway", count, without)

    def _settled(self, namespace: str, labels: str, count: int, without: frozenset[str]) -> dict[str, str]:
        def settled() -> dict[str, str]:
            ready = self._ready(namespace, labels)
            present = self.pods(namespace, labels)
            assert present == count == len(ready), f"{present} pods, ready: {sorted(ready)}"
            assert not without & set(ready), f"of old: {sorted(without & set(ready))}"
            return ready

        return eventually(settled, _SECONDS, f"{count} pods of {labels}", 0.1)

    def wait_asked(self, *engines: str) -> None:
        """Until each of these addresses has answered something since it began."""
        eventually(lambda: all(map(answered, engines)), _SECONDS, f"{engines} are asked", 0.2)

    def wait_connected(self, *gateways: str) -> None:
        """Until clients have connected to each of these addresses since the load began."""
        connections = self._service.connections
        eventually(lambda: all(connections[one] for one in gateways), _SECONDS, f"{gateways} are used")


def answered(address: str) -> int:
    """How many requests an engine has answered."""
    with urllib.request.urlopen(f"http://{address}:{ENGINE_PORT}/metrics", timeout=10) as page:
        text = page.read().decode()
    found = re.search(r'vllm:request_success_total\{.*finished_reason="stop"\} (\d+)', text)
    return int(found[1]) if found else 0


def _is_ready(found: Json) -> bool:
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

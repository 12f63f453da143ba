"""What these tests do to a cluster that scales, and what they look at."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any

from tests.integration.operator.deployments import API, GEMMA, IMAGE, KIND, conditions, message, own
from tests.support.cluster.admin import Admin
from tests.support.cluster.audit import AuditedRequest
from tests.support.cluster.installation import (
    AUTOSCALER_USER,
    SYSTEM,
    AutoscalerProcess,
    GatewayProcess,
    Installation,
    kubectl,
)
from tests.support.cluster.process_node import RunningNode
from tests.support.polling import eventually

Json = dict[str, Any]

GATEWAY_LABELS = {"app.kubernetes.io/component": "gateway", "app.kubernetes.io/instance": "pointsman"}

_ANSWER = {"chunks": 2, "first_token_seconds": 3.0}
_EIGHT_BILLION = {"parameters": "8B", "layers": 32, "kvHeads": 8, "headDim": 128}
_THEIR_ANSWER = {"chunks": 30, "first_token_seconds": 0.1, "gap_seconds": 0.06}
_THEIR_BOUNDS = {"ttft": {"p95": "2s"}, "itl": {"p95": "150ms"}, "attainment": "0.9"}


def model(
    name: str = "chat",
    *,
    mode: str = "active",
    behaviour: Json = _ANSWER,
    facts: Json = GEMMA,
    concurrency: int = 2,
    **scaling: Any,
) -> Json:
    """A scripted vLLM whose answers take three seconds, and which may have one to three replicas."""
    script = {"start_seconds": 0.1, "behaviour": behaviour}
    engine = {
        "name": "vllm",
        "version": "0.33.0",
        "maxConcurrency": concurrency,
        "env": [{"name": "ENGINE_SCRIPT", "value": json.dumps(script)}],
    }
    weights = {"source": f"oci://{IMAGE}", "contextLength": 2048, "facts": facts}
    stated = {"mode": mode, "minReplicas": 1, "maxReplicas": 3, **scaling}
    manifest = own(
        name,
        engine=engine,
        model=weights,
        hardware={"accelerators": ["L4"]},
        scaling=stated,
        drain={"timeout": "1s"},
    )
    del manifest["spec"]["replicas"]
    return manifest


def large_model(**scaling: Any) -> Json:
    """One whose tokens come as fast as those of eight billion parameters on an L4: the law that scaling
    begins with is right, as it is where weights are real.
    """
    return model(
        behaviour=_THEIR_ANSWER, facts=_EIGHT_BILLION, concurrency=4, objectives=_THEIR_BOUNDS, **scaling
    )


class Scene:
    """One namespace. What was started ends when the `with` block is left."""

    def __init__(self, installation: Installation, namespace: str) -> None:
        self.installation = installation
        self.namespace = namespace
        self.admin: Admin = installation.control_plane.admin
        self._stack = ExitStack()
        self._autoscalers: list[AutoscalerProcess] = []

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self.admin.list(API, KIND, self.namespace):
            self.admin.delete(API, KIND, one["metadata"]["name"], self.namespace)
        self._stack.close()

    def autoscaler(
        self, name: str = "autoscaler-0", *arguments: str, quick: bool = True
    ) -> AutoscalerProcess:
        process = self.installation.autoscaler(name, arguments=arguments, quick=quick)
        self._autoscalers.append(process)
        return self._stack.enter_context(process)

    def create(self, manifest: Json) -> None:
        self.admin.create(manifest, self.namespace)

    def get(self, name: str = "chat") -> Json:
        return self.admin.get(API, KIND, name, self.namespace)

    def kubectl(self, *arguments: str) -> str:
        return kubectl(self.installation.control_plane.kubeconfig(), "-n", self.namespace, *arguments)

    def wait(
        self,
        replicas: int | None = None,
        *,
        state: tuple[str, str] | None = None,
        ready: int | None = None,
        name: str = "chat",
        within_seconds: float = 150.0,
    ) -> Json:
        """The deployment, once it has so many replicas, or ready ones, and ScalingActive is so."""

        def seen() -> Json:
            found = self.get(name)
            said = conditions(found).get("ScalingActive")
            there = found.get("status", {}).get("readyReplicas", 0)
            now = (found["spec"]["replicas"], there, said, message(found, "ScalingActive"))
            assert replicas in (None, found["spec"]["replicas"]), str(now)
            assert ready in (None, there), str(now)
            assert state in (None, said), str(now)
            return found

        what = f"{name}: {replicas} replicas, {ready} ready, {state}"
        try:
            return eventually(seen, within_seconds, what, 0.1)
        except AssertionError as error:
            logs = "\n".join(process.log_tail() for process in self._autoscalers)
            raise AssertionError(f"{error}\n{self._decided(name)}\n{logs}") from None

    def _decided(self, name: str) -> str:
        """The last decisions with their reasons, newest first."""
        said = self.get(name).get("status", {}).get("scaling", {})
        return "\n".join(
            f"{one.get('since')}: {one.get('forReplicas')}: {one.get('reason')}"
            for one in (said, *said.get("history", ()))
        )

    def engines(self, name: str = "chat") -> list[str]:
        """Where ready replicas answer."""
        pods = self.admin.list("v1", "Pod", self.namespace, labels=f"pointsman.dev/deployment={name}")
        return sorted(
            f"http://{pod['status']['podIP']}:8000"
            for pod in pods
            if any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in pod.get("status", {}).get("conditions", ())
            )
        )

    @contextmanager
    def load(
        self,
        clients: int,
        name: str = "chat",
        gateway: str = "",
        *,
        streams: bool = False,
        pause_seconds: float = 0.0,
    ) -> Iterator[Counter[bool]]:
        """So many clients, each asking again as soon as it has its answer, or after a pause, at the URL of a
        gateway or at the replicas, which they share out; gives how many answers were good, and how many not.
        """
        stop, counting = threading.Event(), threading.Lock()
        answers: Counter[bool] = Counter()

        def ask(number: int) -> None:
            turn = number
            while not stop.is_set():
                turn += 1
                engines = [gateway] if gateway else self.engines(name)
                good = bool(engines) and answered(engines[turn % len(engines)], name, streams=streams)
                with counting:
                    answers[good] += 1
                stop.wait(pause_seconds if good else max(0.1, pause_seconds))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def gateway(self) -> GatewayProcess:
        """One that serves, and a Pod by which it is found, as a gateway of the chart is."""
        gateway = self.installation.gateway(arguments=("--endpoints", "pods"))
        self._stack.enter_context(gateway)
        container = {
            "name": "gateway",
            "image": "gateway:none",
            "ports": [{"name": "metrics", "containerPort": gateway.metrics_port}],
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "gateway-0", "labels": GATEWAY_LABELS},
            # On no node: those on a node that is not there are deleted after a while.
            "spec": {"containers": [container], "schedulerName": "nobody"},
        }
        self.admin.create(pod, SYSTEM)
        self._stack.callback(self.admin.delete, "v1", "Pod", "gateway-0", SYSTEM, grace_seconds=0)
        status = {"podIP": gateway.host, "conditions": [{"type": "Ready", "status": "True"}]}
        self.admin.patch("v1", "Pod", "gateway-0", {"status": status}, SYSTEM, subresource="status")
        return gateway

    @contextmanager
    def paused_agents(self, node: RunningNode, name: str = "chat") -> Iterator[None]:
        """Agents of its pods, stopped: connections are taken, and nothing answers."""
        pods = self.admin.list("v1", "Pod", self.namespace, labels=f"pointsman.dev/deployment={name}")
        agents = [node.pid(self.namespace, pod["metadata"]["name"], "agent") for pod in pods]
        for pid in agents:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in agents:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def writes(self, since: int, name: str = "chat") -> list[AuditedRequest]:
        """What autoscalers wrote to a deployment."""
        found = self.installation.control_plane.audit.requests(since, user=AUTOSCALER_USER, writes_only=True)
        of_it = (one for one in found if (one.namespace, one.name) == (self.namespace, name))
        return [one for one in of_it if one.code < 400]

    def events(self, reason: str) -> list[Json]:
        found = self.admin.list("events.k8s.io/v1", "Event", self.namespace)
        return [one for one in found if one["reason"] == reason]


def answered(url: str, name: str, within_seconds: float = 60.0, *, streams: bool = False) -> bool:
    """Whether an engine did, to the end."""
    asked = {"model": name, "messages": [{"role": "user", "content": "hi"}], "stream": streams}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=json.dumps(asked).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=within_seconds) as answer:
            said: bytes = answer.read()
            return b"[DONE]" in said if streams else bool(said)
    except (OSError, http.client.HTTPException):
        return False


def values(page: str, name: str) -> dict[str, float]:
    """The rows of a metric, by their labels as text."""
    rows: Sequence[str] = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
    return {row[len(name) : row.rindex(" ")]: float(row.rpartition(" ")[2]) for row in rows}

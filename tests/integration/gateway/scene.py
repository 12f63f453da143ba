"""What these tests do to a cluster, and what they ask of its gateways."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from tests.support import manifests
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import GatewayProcess, Installation, OperatorProcess
from tests.support.engine_stand_in import EngineStandIn
from tests.support.event_loop_thread import EventLoopThread
from tests.support.own_address import own_address
from tests.support.polling import eventually

API = "pointsman.dev/v1alpha1"
Json = dict[str, Any]


class Scene:
    """One namespace. Everything that was started ends when the `with` block is left."""

    def __init__(self, installation: Installation, namespace: str, arguments: Sequence[str]) -> None:
        self.installation = installation
        self.namespace = namespace
        self.admin: Admin = installation.control_plane.admin
        self._arguments = tuple(arguments)
        self._stack = ExitStack()
        self._engines = EventLoopThread()

    def __enter__(self) -> Scene:
        self._stack.enter_context(self._engines)
        self.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self._stack.callback(self.admin.delete, "v1", "Namespace", self.namespace)
        self.admin.wait_for("v1", "ServiceAccount", "default", self.namespace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def engine(self, name: str) -> EngineStandIn:
        """An engine that answers at an address of this machine."""
        engine = EngineStandIn(name, host=own_address())
        self._engines.call(engine.start())
        self._stack.callback(lambda: self._engines.call(engine.stop()))
        return engine

    def gateway(self, name: str = "gateway-0", *arguments: str, host: str = "127.0.0.1") -> GatewayProcess:
        """One that is ready."""
        gateway = self.installation.gateway(name, host=host, arguments=(*self._arguments, *arguments))
        self._stack.enter_context(gateway)
        eventually(lambda: status_of(gateway, "/ready") == 200, 60, f"{name} is ready: {gateway.log_tail()}")
        return gateway

    def operator(self, *arguments: str) -> OperatorProcess:
        operator = self.installation.operator(arguments=(*self._arguments, *arguments))
        self._stack.enter_context(operator)
        return operator

    def create(self, manifest: Json) -> Json:
        return self.admin.create(manifest, self.namespace)

    def deployment(self, name: str, **stated: Any) -> Json:
        return self.create(manifests.deployment(name, namespace=self.namespace, **stated))

    def route(self, name: str, targets: manifests.Targets, **stated: Any) -> Json:
        return self.create(manifests.route(name, targets, namespace=self.namespace, **stated))

    def endpoints(
        self, deployment: str, *engines: EngineStandIn, unready: Sequence[EngineStandIn] = ()
    ) -> None:
        """The EndpointSlices that say which engines of a deployment are ready: one for each port."""
        for number, engine in enumerate((*engines, *unready)):
            self.admin.apply(
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {
                        "name": f"{deployment}-{engine.name}",
                        "labels": {
                            "pointsman.dev/deployment": deployment,
                            "kubernetes.io/service-name": deployment,
                        },
                    },
                    "addressType": "IPv4",
                    "ports": [{"name": "http", "port": engine.port, "protocol": "TCP"}],
                    "endpoints": [
                        {"addresses": [engine.host], "conditions": {"ready": number < len(engines)}}
                    ],
                },
                self.namespace,
                force=True,
            )

    def served(self, target: str = "a", route: str = "chat") -> EngineStandIn:
        """A route, its only target, and the engine that answers there."""
        engine = self.engine(target)
        self.deployment(target)
        self.endpoints(target, engine)
        self.route(route, [target])
        return engine

    def route_status(self, name: str) -> Json:
        status: Json = self.admin.get(API, "ModelRoute", name, self.namespace).get("status", {})
        return status

    def conditions(self, name: str) -> dict[str, tuple[str, str]]:
        """Type -> status and reason."""
        said = self.route_status(name).get("conditions", ())
        return {one["type"]: (one["status"], one["reason"]) for one in said}

    def wait_route(self, name: str, within_seconds: float = 60.0, **wanted: tuple[str, str]) -> Json:
        """The route's status, once these conditions have this status and reason."""

        def holds() -> bool:
            said = self.conditions(name)
            assert all(said.get(kind) == state for kind, state in wanted.items()), str(said)
            return True

        eventually(holds, within_seconds, f"{name}: {wanted}")
        return self.route_status(name)


def ask(gateway: GatewayProcess, model: str) -> tuple[int, str]:
    """The HTTP status of a chat request, and the target that answered."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/chat/completions",
        data=body,
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers.get("x-pointsman-target", "")
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def answers(gateway: GatewayProcess, model: str, status: int = 200, within_seconds: float = 60.0) -> str:
    """Wait until a request has this status; gives who answered it."""

    def asked() -> tuple[int, str]:
        found = ask(gateway, model)
        assert found[0] == status, str(found)
        return found

    return eventually(asked, within_seconds, f"{model} is answered with {status}")[1]


def status_of(gateway: GatewayProcess, path: str) -> int:
    try:
        with urllib.request.urlopen(gateway.metrics_url + path, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def programming(gateway: GatewayProcess) -> Json:
    """What the gateway says of its routes."""
    with urllib.request.urlopen(f"{gateway.metrics_url}/programming", timeout=30) as answer:
        said: Json = json.load(answer)["routes"]
    return said

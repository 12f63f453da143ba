"""What the operator says of routes, by what gateways say of them."""

from __future__ import annotations

from tests.integration.gateway.scene import API, Scene, answers
from tests.support import manifests
from tests.support.cluster.installation import GATEWAY, SYSTEM, GatewayProcess, kubectl
from tests.support.own_address import own_address
from tests.support.polling import eventually

SERVICE = f"{GATEWAY}-programming"
URL = f"http://{GATEWAY}.{SYSTEM}.svc/v1"
GATEWAYS = ("--gateways", f"{SYSTEM}/{SERVICE}", "--gateway-url", URL)


def announce(scene: Scene, *gateways: GatewayProcess) -> None:
    """The EndpointSlices of the gateways' headless Service, which a cluster's own controller would keep."""
    for number in range(2):
        name = f"{SERVICE}-{number}"
        if number >= len(gateways):
            scene.admin.delete("discovery.k8s.io/v1", "EndpointSlice", name, SYSTEM)
            continue
        scene.admin.apply(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": SERVICE}},
                "addressType": "IPv4",
                "ports": [{"name": "metrics", "port": gateways[number].metrics_port, "protocol": "TCP"}],
                "endpoints": [{"addresses": [gateways[number].host], "conditions": {"ready": True}}],
            },
            SYSTEM,
            force=True,
        )


def provider(scene: Scene, name: str) -> None:
    """A hosted model, which is ready as soon as it is known."""
    engine = scene.engine(name)
    scene.create(manifests.hosted(name, f"http://{engine.host}:{engine.port}/v1", namespace=scene.namespace))


def test_ready_once_every_gateway_has_it_in_use(scene: Scene) -> None:
    first = scene.gateway("gateway-0", host=own_address())
    second = scene.gateway("gateway-1", host=own_address())
    announce(scene, first, second)
    scene.operator(*GATEWAYS)
    provider(scene, "a")
    scene.route("chat", ["a"])
    scene.wait_route(
        "chat",
        Accepted=("True", "Accepted"),
        ResolvedRefs=("True", "Resolved"),
        Programmed=("True", "Programmed"),
        Ready=("True", "TargetsReady"),
    )
    assert scene.route_status("chat")["url"] == URL
    for gateway in (first, second):
        answers(gateway, "chat")
    kubeconfig = scene.installation.control_plane.kubeconfig()
    header, line = kubectl(kubeconfig, "-n", scene.namespace, "get", "pmr").splitlines()
    assert header.split()[:4] == ["NAME", "READY", "MODELS", "TARGETS"]
    name, ready, _, targets, *_ = line.split()
    assert (name, ready, targets) == ("chat", "True", "a")
    # One of the two hangs: what is in use stays in use, what is new is not in use everywhere.
    second.pause()
    scene.admin.patch(API, "ModelRoute", "chat", {"spec": {"models": ["chat", "talk"]}}, scene.namespace)
    scene.wait_route("chat", Programmed=("False", "Pending"), Ready=("Unknown", "Pending"))
    answers(first, "talk")
    announce(scene, first)
    scene.wait_route("chat", Programmed=("True", "Programmed"))
    second.resume()
    announce(scene)
    scene.wait_route("chat", Programmed=("Unknown", "NoGateway"))


def test_what_is_wrong_is_said(scene: Scene) -> None:
    announce(scene, scene.gateway("gateway-0", host=own_address()))
    scene.operator(*GATEWAYS)
    provider(scene, "a")
    scene.route("chat", ["a"])
    scene.wait_route("chat", Ready=("True", "TargetsReady"))
    scene.route("late", ["a"], models=["chat"], metadata={"labels": {"is": "younger"}})
    scene.wait_route("late", Accepted=("False", "Conflict"), Ready=("False", "Conflict"))
    scene.route("lost", ["nowhere"])
    scene.wait_route("lost", ResolvedRefs=("False", "DeploymentNotFound"), Ready=("False", "NoTargetReady"))
    provider(scene, "nowhere")
    scene.wait_route("lost", ResolvedRefs=("True", "Resolved"), Ready=("True", "TargetsReady"))
    scene.route("bounded", ["a"], spec={"limits": {"maxOutputTokens": 5}})
    scene.wait_route("bounded", Accepted=("False", "InvalidSpec"), Ready=("False", "InvalidSpec"))
    scene.route("closed", ["a"], api_keys={"team": "chat"})
    scene.wait_route("closed", ResolvedRefs=("False", "RefNotPermitted"))
    said = scene.route_status("closed")["conditions"]
    assert any("do not read Secrets" in one["message"] for one in said)
    # The name is free again as soon as its route is gone.
    scene.admin.delete(API, "ModelRoute", "chat", scene.namespace)
    scene.wait_route("late", Ready=("True", "TargetsReady"))


def test_without_the_operator_replicas_are_followed_all_the_same(scene: Scene) -> None:
    first, second = scene.engine("first"), scene.engine("second")
    gateway = scene.gateway("gateway-0", host=own_address())
    announce(scene, gateway)
    operator = scene.operator(*GATEWAYS)
    scene.deployment("a")
    scene.endpoints("a", first, unready=[second])
    scene.route("chat", ["a"])
    scene.wait_route("chat", Programmed=("True", "Programmed"))
    answers(gateway, "chat")
    operator.kill()
    scene.endpoints("a", second, unready=[first])

    def second_answers() -> bool:
        answers(gateway, "chat")
        return second.log.total > 0

    eventually(second_answers, 30, "the other replica answers")

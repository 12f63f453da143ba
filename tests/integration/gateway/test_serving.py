"""A gateway of a cluster serves what the API server has, with the rights of the chart's account alone."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import psutil

from tests.integration.gateway.conftest import SECRETS_OF
from tests.integration.gateway.scene import Scene, answers, programming, status_of
from tests.support import manifests
from tests.support.cluster.control_plane import ControlPlane
from tests.support.polling import eventually


def test_a_route_and_a_deployment_are_served_without_an_operator(scene: Scene) -> None:
    scene.served()
    gateway = scene.gateway()
    assert answers(gateway, "chat") == f"{scene.namespace}/a"
    expected = {"accepted": True, "programmed": True, "reason": "Programmed", "message": "", "generation": 1}
    eventually(lambda: programming(gateway)[f"{scene.namespace}/chat"] == expected, 30, "it is said")
    assert status_of(gateway, "/live") == 200
    with urllib.request.urlopen(f"{gateway.metrics_url}/metrics", timeout=10) as page:
        assert b'pointsman_gateway_watch_age_seconds{kind="ModelRoute"} ' in page.read()


def test_replicas_are_followed(scene: Scene) -> None:
    first, second = scene.engine("first"), scene.engine("second")
    scene.deployment("a")
    scene.endpoints("a", first, unready=[second])
    scene.route("chat", ["a"])
    gateway = scene.gateway()
    answers(gateway, "chat")
    assert second.log.total == 0
    scene.endpoints("a", second, unready=[first])

    def second_answers() -> bool:
        answers(gateway, "chat")
        return second.log.total > 0

    eventually(second_answers, 30, "the other replica answers")
    scene.endpoints("a", unready=[first, second])
    answers(gateway, "chat", 503)


def test_a_bad_edit_keeps_what_serves_and_is_said(scene: Scene) -> None:
    scene.served()
    gateway = scene.gateway()
    answers(gateway, "chat")
    limits = {"spec": {"limits": {"maxOutputTokens": 5}}}
    scene.admin.patch("pointsman.dev/v1alpha1", "ModelRoute", "chat", limits, scene.namespace)

    def refused() -> bool:
        said = programming(gateway)[f"{scene.namespace}/chat"]
        return (said["accepted"], said["reason"], said["generation"]) == (False, "InvalidSpec", 2)

    eventually(refused, 30, "the edit is refused")
    answers(gateway, "chat")


def test_a_secret_of_a_namespace_that_was_not_opted_in_is_not_used_and_that_is_said(scene: Scene) -> None:
    provider = scene.engine("provider")
    url = f"http://{provider.host}:{provider.port}/v1"
    for namespace in (scene.namespace, SECRETS_OF):
        secret = manifests.secret("b", {"key": "sk-1"}, namespace=namespace, allowed_hosts=[provider.host])
        hosted = manifests.hosted("b", url, namespace=namespace, secret=("b", "key"))
        for one in (secret, hosted, manifests.route(namespace, ["b"], namespace=namespace)):
            scene.admin.create(one, namespace)
    gateway = scene.gateway("gateway-0", "--secrets-of", SECRETS_OF)

    def why() -> str:
        closed = programming(gateway)[f"{scene.namespace}/{scene.namespace}"]
        return str(closed.get("unusable", {}).get("b", ""))

    said = f"gateways do not read Secrets of namespace {scene.namespace}"
    eventually(lambda: said in why(), 30, "it is said")
    answers(gateway, scene.namespace, 503)
    assert answers(gateway, SECRETS_OF) == f"{SECRETS_OF}/b"
    assert "unusable" not in programming(gateway)[f"{SECRETS_OF}/{SECRETS_OF}"]


def test_a_gateway_that_is_killed_leaves_no_envoy_and_the_next_one_serves(scene: Scene) -> None:
    scene.served()
    gateway = scene.gateway()
    answers(gateway, "chat")
    (envoy,) = psutil.Process(gateway.pid).children()
    assert "envoy" in envoy.name()
    gateway.kill()
    eventually(lambda: not envoy.is_running(), 30, "its Envoy is gone")
    gateway.start()
    answers(gateway, "chat")


def test_readiness_fails_first_when_it_is_asked_to_end(scene: Scene) -> None:
    gateway = scene.gateway("gateway-0", "--drain", "10s")
    gateway.ask_to_end()
    eventually(lambda: status_of(gateway, "/ready") == 503, 30, "readiness fails")
    assert gateway.is_running
    eventually(lambda: not gateway.is_running, 30, "it ends")


def test_while_the_api_server_is_away_what_serves_goes_on(
    scene: Scene, control_plane: ControlPlane, fleet: Path
) -> None:
    scene.served()
    gateway = scene.gateway()
    answers(gateway, "chat")
    late = scene.installation.gateway("gateway-1", arguments=("--fleet", str(fleet)))
    control_plane.component("kube-apiserver").pause()
    try:
        with late:
            # One that begins now knows of no route: it is alive and takes none of the requests.
            eventually(lambda: status_of(late, "/live") == 200, 60, "it lives")
            assert status_of(late, "/ready") == 503
            assert answers(gateway, "chat") == f"{scene.namespace}/a"
            assert status_of(gateway, "/ready") == 200
            control_plane.component("kube-apiserver").resume()
            eventually(lambda: status_of(late, "/ready") == 200, 60, "it is ready")
            assert answers(late, "chat") == f"{scene.namespace}/a"
    finally:
        control_plane.component("kube-apiserver").resume()

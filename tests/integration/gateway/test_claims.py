"""Who may have which model name is said by the labels that namespaces have now, in the real API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.gateway.scene import Scene, answers, programming
from tests.integration.gateway.test_route_status import GATEWAYS, announce
from tests.support.chart import render
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import SYSTEM, GatewayProcess
from tests.support.own_address import own_address
from tests.support.polling import eventually

NAMES = [{"namespaceSelector": {"matchLabels": {"team": "a"}}, "models": ["chat"]}]


@pytest.fixture
def by_label(control_plane: ControlPlane) -> tuple[str, str]:
    """What a gateway is started with: the team's namespaces may have `chat`, and no other may have any."""
    path = control_plane.folder / "claims.yaml"
    path.write_text("gateway: {names: [{namespaceSelector: {matchLabels: {team: a}}, models: [chat]}]}\n")
    return "--fleet", str(path)


@contextmanager
def rights(admin: Admin, **values: object) -> Iterator[None]:
    """What the chart gives where the fleet settings give out names."""
    stated = {"fleet": {"gateway": {"names": NAMES}}, **values}
    found = [one for one in render(stated, namespace=SYSTEM) if "namespaces" in one["metadata"]["name"]]
    assert [one["kind"] for one in found] == ["ClusterRole", "ClusterRoleBinding"]
    for one in found:
        admin.apply(one)
    try:
        yield
    finally:
        for one in found:
            admin.delete(one["apiVersion"], one["kind"], one["metadata"]["name"])


def label(scene: Scene, team: str | None) -> None:
    scene.admin.patch("v1", "Namespace", scene.namespace, {"metadata": {"labels": {"team": team}}})


def refused(scene: Scene, gateway: GatewayProcess) -> None:
    def is_said() -> bool:
        said = programming(gateway)[f"{scene.namespace}/chat"]
        return not said["accepted"] and f'namespace {scene.namespace} may not claim "chat"' in said["message"]

    eventually(is_said, 30, "the gateway says who may not claim what")
    answers(gateway, "chat", 404)


def test_a_label_gives_a_name_and_takes_it_away(
    scene: Scene, admin: Admin, by_label: tuple[str, str]
) -> None:
    scene.served()
    with rights(admin):
        gateway = scene.gateway("gateway-0", *by_label, host=own_address())
        announce(scene, gateway)
        scene.operator(*GATEWAYS, *by_label)
        refused(scene, gateway)
        scene.wait_route("chat", Accepted=("False", "InvalidSpec"))
        for team in ("b", None):
            label(scene, "a")
            answers(gateway, "chat")
            scene.wait_route("chat", Accepted=("True", "Accepted"))
            label(scene, team)
            refused(scene, gateway)
            scene.wait_route("chat", Accepted=("False", "InvalidSpec"))


def test_a_gateway_of_some_namespaces_may_read_theirs_alone(
    scene: Scene, admin: Admin, by_label: tuple[str, str]
) -> None:
    scene.served()
    label(scene, "a")
    with rights(admin, watchNamespaces=[scene.namespace]):
        gateway = scene.gateway("gateway-0", *by_label, "--namespace", scene.namespace)
        answers(gateway, "chat")
        label(scene, None)
        refused(scene, gateway)


def test_without_the_right_nobody_has_a_label(scene: Scene, by_label: tuple[str, str]) -> None:
    scene.served()
    label(scene, "a")
    refused(scene, scene.gateway("gateway-0", *by_label))

"""What `pointsman up` says of routes that come, go, and may be called by anyone."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from pointsman.api import ModelRoute
from pointsman.api.findings import Finding
from pointsman.local.display.terminal import Terminal
from pointsman.local.files.folder import Objects
from pointsman.local.listening import parse_listen
from pointsman.local.state import StateFolder
from pointsman.local.status.keeping import Keeping
from pointsman.local.status.objects import ObjectStore
from pointsman.local.status.publish import Publisher
from pointsman.routing import RouteProgramming, RoutingInput
from tests.support import builders

GPT = builders.hosted("gpt", "https://api.openai.com/v1")
IDLE = builders.deployment("idle", engine="llama.cpp", replicas=0)
CHAT = builders.route("chat", ["gpt"])


class Scene:
    """A publisher, and the lines that it printed."""

    def __init__(self, folder: Path, listen: str = "127.0.0.1:18080") -> None:
        self._out = io.StringIO()
        state = StateFolder(folder)
        terminal = Terminal(self._out)
        keeping = Keeping(terminal)
        self._publisher = Publisher(state, ObjectStore(state), terminal, keeping, parse_listen(listen))

    def publish(self, *routes: ModelRoute, mistakes: Sequence[Finding] = ()) -> list[str]:
        """What is newly said, of these routes."""
        begin = len(self._out.getvalue())
        objects = Objects(
            deployments={one.key: one for one in (GPT, IDLE)},
            routes={route.key: route for route in routes},
            findings=tuple(mistakes),
            refused={(one.kind, builders.key(one.name, one.namespace)): one for one in mistakes},
        )
        self._publisher.tell_findings(objects.findings)
        given = RoutingInput(deployments=objects.deployments, routes=objects.routes)
        programmed = {route.key: RouteProgramming(True, True, "Programmed", "", 1) for route in routes}
        self._publisher.publish(objects, {}, given, programmed)
        return [line.strip() for line in self._out.getvalue()[begin:].splitlines() if "route" in line]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def mistake(kind: str, name: str) -> Finding:
    return Finding(
        "error",
        "spec",
        "is wrong",
        "correct it",
        file="route.yaml",
        kind=kind,
        namespace="default",
        name=name,
    )


def test_a_mistake_in_a_route_is_said_once(scene: Scene) -> None:
    scene.publish(CHAT)
    assert scene.publish(CHAT, mistakes=[mistake("ModelRoute", "chat")]) == [
        "✗ route.yaml: ModelRoute default/chat: spec: is wrong; correct it"
    ]


def test_a_fallback_whose_file_was_refused_is_not_said_to_be_missing(scene: Scene) -> None:
    route = builders.route("chat", ["gpt"], fallback=["backup"])
    said = scene.publish(route, mistakes=[mistake("ModelDeployment", "backup")])
    assert said[-1] == "✗ route chat             ModelDeployment backup was refused: its file has a mistake"


def starts(lines: Sequence[str]) -> list[str]:
    return [" ".join(line.split()[:3]) for line in lines]


def test_a_route_that_goes_and_returns_is_said_each_time(scene: Scene) -> None:
    assert starts(scene.publish(CHAT)) == ["✓ route chat"]
    assert scene.publish() == ["– route chat             removed from the files"]
    assert scene.publish() == []
    assert starts(scene.publish(CHAT)) == ["✓ route chat"]


def test_an_address_that_others_reach_is_warned_of_once_for_each_anonymous_route(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "0.0.0.0:18080")
    warning = (
        "! route chat             anyone who reaches 0.0.0.0:18080 may use it: it is anonymous and this "
        "address is not this machine's alone; use authentication.apiKeys, or listen on 127.0.0.1"
    )
    with_keys = builders.route("keyed", ["gpt"], api_keys={"team": "x"})
    assert [line for line in scene.publish(CHAT, with_keys) if line.startswith("!")] == [warning]
    assert scene.publish(CHAT, with_keys) == []


@pytest.mark.parametrize("listen", ["127.0.0.1:18080", "127.0.0.2:18080", "[::1]:18080"])
def test_an_address_of_this_machine_alone_is_not_warned_of(tmp_path: Path, listen: str) -> None:
    assert starts(Scene(tmp_path, listen).publish(CHAT)) == ["✓ route chat"]


@pytest.mark.parametrize("listen", [":18080", "[::]:18080", "192.0.2.7:18080"])
def test_every_other_address_is(tmp_path: Path, listen: str) -> None:
    assert starts(Scene(tmp_path, listen).publish(CHAT)) == ["! route chat", "✓ route chat"]


def test_a_route_to_deployments_without_replicas_says_so(scene: Scene) -> None:
    assert scene.publish(builders.route("chat", ["idle"])) == [
        "✗ route chat             no target has a replica"
    ]
    assert starts(scene.publish(builders.route("chat", ["idle"], fallback=["gpt"]))) == ["✓ route chat"]

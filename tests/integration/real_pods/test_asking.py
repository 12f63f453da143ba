"""`pointsman get` and `explain` of a cluster, as people ask: their own rights, kubectl's options, one line of
error.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.cli.main import main
from pointsman.local.state import StateFolder
from tests.integration.operator.deployments import API, own, wait_until
from tests.integration.real_pods.conftest import START_SECONDS
from tests.support import manifests
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.processes import python_module

Json = dict[str, Any]

ROUTE = {
    "apiVersion": API,
    "kind": "ModelRoute",
    "metadata": {"name": "talk"},
    "spec": {
        "models": ["talk"],
        "rules": [{"targets": [{"deployment": "chat", "weight": 100}]}],
        "authentication": {"anonymous": True},
    },
}


class Person:
    """Somebody at a terminal, on a machine where no `up` ever ran."""

    def __init__(self, kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.kubeconfig = kubeconfig
        self._capsys = capsys

    def types(self, *words: str) -> tuple[int, str, str]:
        code = main(words)
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def asks(self, *words: str) -> tuple[int, str, str]:
        return self.types(*words, f"--kubeconfig={self.kubeconfig}")


@pytest.fixture
def person(
    control_plane: ControlPlane,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Person:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return Person(control_plane.kubeconfig(), capsys)


@pytest.mark.usefixtures("node", "operator")
def test_a_model_in_a_cluster_is_explained_in_the_words_of_local_mode(
    admin: Admin, namespace: str, person: Person
) -> None:
    admin.create(own("chat"), namespace)
    admin.create(ROUTE, namespace)
    wait_until(admin, "chat", namespace, START_SECONDS, MetricsAvailable=("True", "Available"))
    [pod] = admin.list("v1", "Pod", namespace)
    code, said, errors = person.asks("explain", "modeldeployment/chat", "-n", namespace)
    assert (code, errors) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"ModelDeployment {namespace}/chat is ready (generation 1)"
    assert lines[1:6] == [
        "Placement",
        "  llama.cpp runs on the CPU unless hardware names accelerators",
        "Engines (llama.cpp, b11549)",
        "  1 of 1 replicas ready",
        f"  replica {pod['metadata']['name']}  {pod['status']['podIP'] + ':8000':<21}  on node-a  "
        f"kubectl -n {namespace} logs {pod['metadata']['name']} -c engine",
    ]
    assert f"  route {namespace}/talk (talk), weight 100" in lines
    assert any(line.split()[:2] == ["MetricsAvailable", "True"] for line in lines)
    code, said, _ = person.asks("explain", "pmd/chat", "-n", namespace, "-o", "json")
    assert json.loads(said)["engines"][0]["replica"] == pod["metadata"]["name"]

    def told() -> list[str]:
        return person.asks("explain", "modelroute/talk", "-n", namespace)[1].splitlines()

    eventually(lambda: "  100 %  chat" in told(), 30, "the route has heard that its target serves")


@pytest.mark.usefixtures("installation")
def test_tables_have_the_columns_that_kubectl_shows(admin: Admin, namespace: str, person: Person) -> None:
    admin.create(own("chat"), namespace)
    code, said, errors = person.asks("get", "-n", namespace)
    assert (code, errors) == (0, "")
    header, row = said.splitlines()
    assert header.split() == ["NAME", "READY", "MODEL", "ENGINE", "ACCELERATOR", "REPLICAS", "DESIRED", "AGE"]
    assert row.split()[0] == "modeldeployment.pointsman.dev/chat"
    # As kubectl: the context's namespace where none is named, and all with -A.
    assert person.asks("get", "pmd") == (0, "", "nothing is in namespace default\n")
    assert any(
        line.split()[:2] == [namespace, "chat"] for line in person.asks("get", "pmd", "-A")[1].splitlines()
    )
    found = yaml.safe_load(person.asks("get", "pmd/chat", "-n", namespace, "-o", "yaml")[1])
    assert found["metadata"]["uid"] == admin.get(API, "ModelDeployment", "chat", namespace)["metadata"]["uid"]
    assert "managedFields" not in found["metadata"]


@pytest.mark.usefixtures("installation")
def test_a_watch_prints_what_changes(admin: Admin, namespace: str, person: Person, tmp_path: Path) -> None:
    command = ("get", "pmd", "-n", namespace, "-w", f"--kubeconfig={person.kubeconfig}")
    with (
        (tmp_path / "out").open("w") as out,
        subprocess.Popen([*python_module("pointsman.cli.main", *command)], stdout=out) as watching,
    ):
        admin.create(own("chat"), namespace)
        printed = (tmp_path / "out").read_text
        eventually(lambda: "chat " in printed(), 60, "it prints what came")
        admin.patch(API, "ModelDeployment", "chat", {"spec": {"replicas": 7}}, namespace)
        eventually(lambda: " 7 " in printed(), 60, "it prints what changed")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 130


@pytest.mark.usefixtures("installation")
def test_without_an_up_the_cluster_of_the_kubeconfig_is_asked(
    person: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(person.kubeconfig))
    context = yaml.safe_load(person.kubeconfig.read_text())["current-context"]
    code, said, errors = person.types("get", "pmr")
    assert (code, said) == (0, "")
    assert errors.splitlines() == [
        f"context {context}: `pointsman up` has left nothing on this machine",
        "nothing is in namespace default",
    ]
    # What an `up` left is not what KUBECONFIG names, and a kubeconfig that is merely there names nothing.
    left = tmp_path / "state/pointsman/local"
    small = StateFolder(left).object_path("ModelDeployment", "default", "small")
    small.parent.mkdir(parents=True)
    small.write_text(json.dumps(manifests.deployment("small", engine="llama.cpp")))
    code, said, errors = person.types("get", "pmr")
    assert (code, said) == (0, "")
    why = f"`pointsman up` does not run on this machine; --state-dir {left} shows what it left"
    assert errors.splitlines()[0] == f"context {context}: {why}"
    monkeypatch.delenv("KUBECONFIG")
    (tmp_path / ".kube").mkdir()
    shutil.copy(person.kubeconfig, tmp_path / ".kube/config")
    code, said, errors = person.types("get", "pmd")
    assert (code, said.count("small ")) == (0, 1)
    assert errors == f"`pointsman up` does not run on {left}; what follows is how it was when it ended\n"
    # A folder that is named is meant.
    code, _, errors = person.types("get", f"--state-dir={tmp_path / 'none'}")
    assert "does not run on" in errors
    code, _, errors = person.types("get", f"--state-dir={tmp_path}", "--context=x")
    assert (code, errors.count("\n")) == (2, 1)


@pytest.fixture
def bare() -> Iterator[ControlPlane]:
    """An API server that knows nothing of us."""
    with ControlPlane.start(Options(controller_manager=False, scheduler=False, audit=False)) as started:
        yield started


def test_a_cluster_without_our_kinds_says_what_to_install(bare: ControlPlane, person: Person) -> None:
    code, said, errors = person.types("get", f"--kubeconfig={bare.kubeconfig()}")
    assert (code, said) == (1, "")
    assert errors.endswith(
        ": the cluster does not know Pointsman's kinds; install the chart (charts/pointsman), or choose"
        " another cluster with --context\n"
    )


def test_what_is_wrong_is_one_line(
    control_plane: ControlPlane, installation: Installation, namespace: str, person: Person, tmp_path: Path
) -> None:
    stated = yaml.safe_load(person.kubeconfig.read_text())
    context = stated["current-context"]
    assert person.asks("get", "--context=prod") == (
        1,
        "",
        f'{person.kubeconfig}: it has no context "prod"; name one of {context} with --context\n',
    )
    assert person.types("explain", "pmd/chat", "--kubeconfig=nowhere.yaml") == (
        1,
        "",
        "nowhere.yaml: there is no such kubeconfig; see kubectl config view\n",
    )
    stranger = control_plane.kubeconfig("stranger", ("system:authenticated",))
    code, said, errors = person.types("get", "pmd", "-n", namespace, f"--kubeconfig={stranger}")
    assert (code, said, errors.count("\n")) == (1, "", 1)
    assert 'cannot list resource "modeldeployments"' in errors
    assert errors.endswith("; ask for the role view in that namespace\n")
    gone = tmp_path / "gone.kubeconfig"
    stated["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    gone.write_text(yaml.safe_dump(stated))
    code, said, errors = person.types("get", f"--kubeconfig={gone}")
    assert (code, said, errors.count("\n")) == (1, "", 1)
    assert "the API server cannot be reached" in errors
    nobody = tmp_path / "nobody.kubeconfig"
    stated = yaml.safe_load(person.kubeconfig.read_text())
    stated["users"][0]["user"] = {"token": "expired"}
    nobody.write_text(yaml.safe_dump(stated))
    code, said, errors = person.types("get", f"--kubeconfig={nobody}")
    assert errors == f"context {context}: the cluster does not accept this user; log in again\n"


def test_whoever_may_not_see_pods_is_told_all_the_rest(
    admin: Admin, control_plane: ControlPlane, installation: Installation, namespace: str, person: Person
) -> None:
    admin.create(own("chat"), namespace)
    names = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "asker"}}
    ours = {
        "apiGroups": ["pointsman.dev"],
        "resources": ["modeldeployments", "modelroutes"],
        "verbs": ["list"],
    }
    admin.create({**names, "kind": "Role", "rules": [ours]}, namespace)
    rights = "rbac.authorization.k8s.io"
    admin.create(
        {
            **names,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": rights, "kind": "Role", "name": "asker"},
            "subjects": [{"apiGroup": rights, "kind": "User", "name": "asker"}],
        },
        namespace,
    )
    kubeconfig = control_plane.kubeconfig("asker", ("system:authenticated",), namespace=namespace)

    def told() -> bool:
        code, said, errors = person.types("explain", "pmd/chat", f"--kubeconfig={kubeconfig}")
        assert code == 0, errors
        assert said.startswith(f"ModelDeployment {namespace}/chat is ")
        assert errors.startswith("pods are not shown: ")
        assert errors.count("\n") == 1
        return True

    eventually(told, 30, "the role is in use")


def test_whoever_views_a_namespace_sees_it_and_is_told_what_not(
    admin: Admin, control_plane: ControlPlane, installation: Installation, namespace: str, person: Person
) -> None:
    admin.create(own("chat"), namespace)
    admin.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "viewer"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
        },
        namespace,
    )
    kubeconfig = control_plane.kubeconfig("viewer", ("system:authenticated",), namespace=namespace)

    def seen() -> bool:
        code, said, errors = person.types("get", f"--kubeconfig={kubeconfig}")
        assert code == 0, errors
        assert "modeldeployment.pointsman.dev/chat" in said
        assert errors.count("\n") == 1
        assert 'cannot list resource "guardrailpolicies"' in errors
        return True

    eventually(seen, 30, "what the role view adds up to is in use")

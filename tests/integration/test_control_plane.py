"""The control plane of the tests is a real one, and it is gone when they are."""

from __future__ import annotations

import signal
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.audit import tally
from tests.support.cluster.build import kubernetes_version
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.polling import eventually
from tests.support.processes import StartedProcess, assert_none_left, python_module

BARE = Options(controller_manager=False, scheduler=False)


def deployment(name: str, replicas: int = 1) -> dict[str, object]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "registry.example/none:1"}]},
            },
        },
    }


def test_it_says_the_version_it_was_built_from(admin: Admin) -> None:
    assert admin.request("GET", "/version")["gitVersion"] == kubernetes_version()


def test_controllers_make_pods_of_a_deployment_and_the_scheduler_looks_at_them(
    admin: Admin, namespace: str
) -> None:
    admin.create(deployment("web"), namespace)

    def unschedulable(found: dict[str, Any]) -> bool:
        conditions = found["status"].get("conditions", ())
        return any(condition["reason"] == "Unschedulable" for condition in conditions)

    admin.wait_for(
        "apps/v1", "Deployment", "web", namespace, until=lambda found: found["status"].get("replicas") == 1
    )
    (pod,) = admin.list("v1", "Pod", namespace, labels="app=web")
    admin.wait_for("v1", "Pod", pod["metadata"]["name"], namespace, until=unschedulable)


def test_owned_objects_go_with_their_owner(admin: Admin, namespace: str) -> None:
    owner = admin.create(_config_map("owner"), namespace)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    admin.create(_config_map("child", ownerReferences=[reference]), namespace)
    admin.delete("v1", "ConfigMap", "owner", namespace)
    admin.wait_gone("v1", "ConfigMap", "child", namespace)


def test_only_those_who_trust_its_authority_can_talk_to_it(control_plane: ControlPlane) -> None:
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(
            f"{control_plane.server}/readyz", context=ssl.create_default_context(), timeout=5
        )


def test_the_kubeconfig_has_the_authority_and_skips_no_check(control_plane: ControlPlane) -> None:
    path = control_plane.kubeconfig()
    assert path.stat().st_mode & 0o077 == 0
    cluster = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]
    assert "insecure-skip-tls-verify" not in cluster
    assert cluster["certificate-authority-data"]


def test_a_service_account_may_what_its_role_says_and_nothing_else(
    control_plane: ControlPlane, admin: Admin, namespace: str
) -> None:
    admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}, namespace)
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    meta = {"name": "reader"}
    admin.create({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules}, namespace)
    admin.create(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        },
        namespace,
    )
    with Admin(control_plane.account_access(namespace, "reader")) as reader:

        def reads() -> bool:
            # The authorizer hears of the role by a watch, and a controller makes the first object.
            try:
                return bool(reader.list("v1", "ConfigMap", namespace))
            except ApiError as error:
                if error.status != 403:
                    raise
                return False

        eventually(reads, 60, "what its role says is in use")
        with pytest.raises(ApiError) as refused:
            reader.list("v1", "Secret", namespace)
    assert refused.value.status == 403


def test_a_user_with_a_certificate_is_known_by_name_and_groups(control_plane: ControlPlane) -> None:
    with Admin(control_plane.access("jane", ("developers",))) as jane:
        review = jane.request(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
    assert review["status"]["userInfo"]["username"] == "jane"
    assert "developers" in review["status"]["userInfo"]["groups"]


def test_the_audit_log_counts_requests_by_user_and_verb(control_plane: ControlPlane, namespace: str) -> None:
    groups = ("system:masters",)
    mark = control_plane.audit.mark()
    with Admin(control_plane.access("counted", groups)) as counted:
        counted.create(_config_map("a"), namespace)
        counted.apply(_config_map("b"), namespace)
        counted.get("v1", "ConfigMap", "a", namespace)
        counted.delete("v1", "ConfigMap", "a", namespace)
    requests = control_plane.audit.requests(mark, user="counted")
    on_objects = [request for request in requests if request.resource == "configmaps"]
    assert tally(on_objects) == {
        ("counted", "create"): 1,
        ("counted", "patch"): 1,
        ("counted", "get"): 1,
        ("counted", "delete"): 1,
    }
    assert len([request for request in on_objects if request.is_write]) == 3


def test_a_restart_of_the_api_server_keeps_objects_and_cuts_connections() -> None:
    with ControlPlane.start(BARE) as bare:
        bare.admin.create(_config_map("kept"))
        before = bare.component("kube-apiserver").pid
        bare.restart_api_server()
        assert bare.component("kube-apiserver").pid != before
        assert bare.admin.find("v1", "ConfigMap", "kept") is not None


def test_after_compaction_and_a_restart_what_was_begun_before_is_gone(control_plane: ControlPlane) -> None:
    """Until the restart the API server answers both from its own memory."""
    path = "/api/v1/namespaces/default/configmaps"
    with ControlPlane.start(BARE) as bare:
        for index in range(4):
            bare.admin.create(_config_map(f"c{index}"))
        first = bare.admin.request("GET", path, parameters={"limit": "2"})["metadata"]
        bare.admin.create(_config_map("later"))
        bare.compact_etcd()
        bare.restart_api_server()
        with pytest.raises(ApiError) as gone:
            bare.admin.request("GET", path, parameters={"limit": "2", "continue": first["continue"]})
        assert gone.value.status == 410
        watched = {"watch": "true", "resourceVersion": first["resourceVersion"], "timeoutSeconds": "5"}
        assert bare.admin.request("GET", path, parameters=watched)["object"]["code"] == 410
        # Two control planes at once share nothing.
        assert control_plane.admin.find("v1", "ConfigMap", "later") is None


def test_a_paused_api_server_answers_when_it_is_resumed() -> None:
    with ControlPlane.start(BARE) as bare:
        server = bare.component("kube-apiserver")
        server.pause()
        request = urllib.request.Request(f"{bare.server}/readyz", headers=bare.access().headers())
        context = bare.access().tls_context()
        with pytest.raises(OSError, match="timed out"):
            urllib.request.urlopen(request, timeout=1, context=context)
        server.resume()
        bare.wait_ready()


def test_a_program_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    wrong = Options(arguments={"kube-apiserver": ["--no-such-flag"]})
    with pytest.raises(RuntimeError, match="unknown flag: --no-such-flag"):
        ControlPlane.start(wrong, folder=tmp_path / "cluster")
    assert_none_left(str(tmp_path))


def test_nothing_is_left_when_the_tests_are_killed(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    command = python_module("tests.integration.killed_control_plane", str(folder))
    with StartedProcess(command) as tests:
        eventually(lambda: "ready" in tests.output, 90, "a control plane runs")
        tests.send(signal.SIGKILL)
        tests.wait(30)
        assert_none_left(str(folder))


def _config_map(name: str, **metadata: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}

"""`make sandbox` leaves a cluster that runs on after the command, and `make sandbox-down` leaves nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster.access import Access
from tests.support.cluster.admin import Admin
from tests.support.polling import eventually
from tests.support.processes import REPOSITORY, assert_none_left, python_module, running_with


def sandbox(command: str, state: Path) -> str:
    done = subprocess.run(
        python_module("tests.support.cluster.sandbox", command),
        cwd=REPOSITORY,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def access(kubeconfig: Path) -> Access:
    document: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    cluster = document["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"])
    return Access("admin", cluster["server"], authority, token=document["users"][0]["user"]["token"])


def is_ready(found: dict[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def api_is_ready(kubeconfig: Path) -> bool:
    kubectl = Path(sys.executable).with_name("kubectl")
    asked = [str(kubectl), "--kubeconfig", str(kubeconfig), "get", "--raw", "/readyz"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def answer(said: str, question: str) -> str:
    """What the model behind the gateway that the sandbox named answers."""
    url = re.search(r"http://[0-9.:]+", said)
    assert url is not None, said
    asked = {"model": "chat", "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(
        f"{url[0]}/v1/chat/completions", json.dumps(asked).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as found:
        return str(json.load(found)["choices"][0]["message"]["content"])


def explained(what: str, kubeconfig: Path, state: Path) -> list[str]:
    """What `pointsman explain` says of the sandbox, to somebody who has set KUBECONFIG."""
    done = subprocess.run(
        python_module("pointsman.cli.main", "explain", what),
        env={**os.environ, "XDG_STATE_HOME": str(state), "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_runs_on_until_it_is_ended(tmp_path: Path) -> None:
    try:
        said = sandbox("up", tmp_path)
        found = re.search(r"^export KUBECONFIG=(.+)$", said, re.MULTILINE)
        assert found is not None, said
        with Admin(access(Path(found[1]))) as admin:
            assert {node["metadata"]["name"] for node in admin.list("v1", "Node")} == {"cpu-node", "gpu-node"}
            admin.apply_files(REPOSITORY / "examples" / "quickstart")
            route = ("pointsman.dev/v1alpha1", "ModelRoute", "chat")
            admin.wait_for(*route, until=is_ready, within_seconds=90)
            assert answer(said, "What is the capital of France?") == "Paris."
            primary = ("pointsman.dev/v1alpha1", "ModelDeployment", "chat-primary")
            admin.wait_for(
                *primary, until=lambda one: one["status"].get("readyReplicas") == 2, within_seconds=90
            )
            told = explained("modeldeployment/chat-primary", Path(found[1]), tmp_path)
            assert "  2 of 2 replicas ready" in told
            assert "  route default/chat (chat), weight 100" in told
            # An idle replica ends once gateways have heard that it leaves, and not by a kill.
            pod, *_ = admin.list("v1", "Pod", labels="pointsman.dev/deployment=chat-backup")
            admin.delete("v1", "Pod", pod["metadata"]["name"])
            admin.wait_gone("v1", "Pod", pod["metadata"]["name"])
        assert found[1] in sandbox("up", tmp_path)  # a second time says the same
        [api_server] = [one for one in running_with(str(tmp_path)) if one.name() == "kube-apiserver"]
        api_server.kill()
        eventually(lambda: api_is_ready(Path(found[1])), 60, "the API server is there again")
        os.kill(int((Path(found[1]).parent / "lock").read_text()), signal.SIGKILL)
        said = sandbox("up", tmp_path)  # and after it was killed it is a new one
        steps = said.partition("\nexport")[0].splitlines()
        assert [line for line in steps if not re.match(r" ✓ .+ \d+ s$|/", line)] == []
        with Admin(access(Path(found[1]))) as admin:
            assert admin.list("pointsman.dev/v1alpha1", "ModelDeployment") == []
    finally:
        sandbox("down", tmp_path)
    assert_none_left(str(tmp_path))
    assert not (tmp_path / "pointsman" / "sandbox").exists()

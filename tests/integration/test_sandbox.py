"""`make sandbox` leaves a cluster that runs on after the command, and `make sandbox-down` leaves nothing."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster.access import Access
from tests.support.cluster.admin import Admin
from tests.support.processes import REPOSITORY, assert_none_left, python_module


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


def test_it_runs_on_until_it_is_ended(tmp_path: Path) -> None:
    try:
        said = sandbox("up", tmp_path)
        found = re.search(r"^export KUBECONFIG=(.+)$", said, re.MULTILINE)
        assert found is not None, said
        with Admin(access(Path(found[1]))) as admin:
            assert {node["metadata"]["name"] for node in admin.list("v1", "Node")} == {"cpu-node", "gpu-node"}
            admin.list("pointsman.dev/v1alpha1", "ModelDeployment", "default")
        assert found[1] in sandbox("up", tmp_path)  # a second time says the same
    finally:
        sandbox("down", tmp_path)
    assert_none_left(str(tmp_path))
    assert not (tmp_path / "pointsman" / "sandbox").exists()

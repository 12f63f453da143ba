"""What `pointsman plan` prints is what the operator applies: compared on the API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.cli.main import main
from pointsman.controller.acting import MANAGER
from pointsman.controller.installations import INSTALLATION
from pointsman.kube.difference import differences
from tests.integration.operator.deployments import own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import SYSTEM

pytestmark = pytest.mark.usefixtures("operator")


def test_the_plan_is_what_the_api_server_holds(
    admin: Admin, namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = own("chat", replicas=2)
    stated["metadata"]["namespace"] = namespace
    (tmp_path / "chat.yaml").write_text(yaml.safe_dump(stated))
    assert main(["plan", str(tmp_path), "-o", "json", "--agent-image", "pointsman:test"]) == 0
    planned = json.loads(capsys.readouterr().out)["items"]

    made = admin.create(stated, namespace)
    wait_until(admin, "chat", namespace, Placed=("True", "Placed"))
    for one in planned:
        name = one["metadata"]["name"]
        live = admin.wait_for(one["apiVersion"], one["kind"], name, namespace)
        assert differences(live, owned(one, made), MANAGER) == (), f"{one['kind']} {name}"


def owned(planned: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    """What files cannot know: who the owner will be, and which installation brings it about."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {**planned["metadata"], "ownerReferences": [reference]}
    if planned["kind"] == "NetworkPolicy":
        name = {INSTALLATION: f"{SYSTEM}/pointsman-operator"}
        metadata["annotations"] = {**metadata.get("annotations", {}), **name}
    return {**planned, "metadata": metadata}

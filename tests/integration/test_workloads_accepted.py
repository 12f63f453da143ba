"""The API server takes all that is rendered, field by field, also where pods must run without rights."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.workloads import Surroundings, controller_revision, render
from tests.golden.workloads.inputs import CASES
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import APPLY
from tests.support.cluster.control_plane import ControlPlane

DEFINITIONS = sorted((Path(__file__).parent / "definitions").glob("*.yaml"))
PLACES = {
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps/{name}",
    "Service": "/api/v1/namespaces/{namespace}/services/{name}",
    "Pod": "/api/v1/namespaces/{namespace}/pods/{name}",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{name}",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{name}",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
    "ControllerRevision": "/apis/apps/v1/namespaces/{namespace}/controllerrevisions/{name}",
    "LeaderWorkerSet": "/apis/leaderworkerset.x-k8s.io/v1/namespaces/{namespace}/leaderworkersets/{name}",
    "PodMonitor": "/apis/monitoring.coreos.com/v1/namespaces/{namespace}/podmonitors/{name}",
}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def kinds(control_plane: ControlPlane) -> Iterator[Admin]:
    """An API server that knows the kinds of other projects that we write."""
    admin = control_plane.admin
    names = []
    for file in DEFINITIONS:
        definition = yaml.safe_load(file.read_text())
        names.append(definition["metadata"]["name"])
        admin.create(definition)
    for name in names:
        admin.wait_for("apiextensions.k8s.io/v1", "CustomResourceDefinition", name, until=_is_established)
    yield admin
    for name in names:
        admin.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)


@pytest.fixture
def restricted(kinds: Admin, namespace: str) -> Iterator[str]:
    """A namespace whose pods may have no rights at all (Pod Security, level restricted)."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kinds.patch("v1", "Namespace", namespace, {"metadata": {"labels": labels}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "model-reader"}}
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
    kinds.create(account, namespace)
    kinds.create({**priority, "metadata": {"name": "inference"}, "value": 1000})
    kinds.create({**runtime, "metadata": {"name": "nvidia"}, "handler": "nvidia"})
    yield namespace
    kinds.delete("scheduling.k8s.io/v1", "PriorityClass", "inference")
    kinds.delete("node.k8s.io/v1", "RuntimeClass", "nvidia")


def _is_established(definition: Json) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()  # null until the first is written
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def tried(admin: Admin, one: Json) -> Json:
    """What the API server would store. Raises ApiError, also for a field that it does not know."""
    metadata = one["metadata"]
    path = PLACES[one["kind"]].format(namespace=metadata["namespace"], name=metadata["name"])
    parameters = {"dryRun": "All", "fieldManager": "pointsman-operator", "fieldValidation": "Strict"}
    taken: Json = admin.request("PATCH", path, one, content_type=APPLY, parameters=parameters)
    return taken


def templates(one: Json) -> list[Json]:
    spec = one.get("spec", {})
    group = spec.get("leaderWorkerTemplate", {})
    found = (spec.get("template"), group.get("leaderTemplate"), group.get("workerTemplate"))
    return [template for template in found if template is not None]


def lost(wanted: Any, stored: Any, path: str = "") -> list[str]:
    """Every place where the API server kept something else than what was asked for."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        return [
            place
            for key, value in wanted.items()
            for place in (lost(value, stored[key], f"{path}.{key}") if key in stored else [f"{path}.{key}"])
        ]
    if isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        pairs = zip(wanted, stored, strict=True)
        return [place for number, pair in enumerate(pairs) for place in lost(*pair, f"{path}[{number}]")]
    return [] if wanted == stored else [f"{path}: {wanted!r} became {stored!r}"]


def test_every_object_and_every_pod_is_taken_as_it_is(kinds: Admin, restricted: str) -> None:
    seen = set()
    for name, case in CASES.items():
        metadata = case.deployment.metadata.model_copy(update={"namespace": restricted})
        own = case.deployment.model_copy(update={"metadata": metadata})
        rendering = replace(case, deployment=own).frozen()
        around = replace(case.surroundings or Surroundings(), pod_monitors=True)
        for one in (controller_revision(own, rendering, 1), *render(own, rendering, case.replicas, around)):
            assert lost(one, tried(kinds, one)) == [], (name, one["kind"])
            seen.add(one["kind"])
            for number, template in enumerate(templates(one)):
                labelled = {"name": f"{name}-{number}", "namespace": restricted, **template["metadata"]}
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": labelled, "spec": template["spec"]}
                # Admission adds to a pod; that it is taken is what counts.
                assert tried(kinds, pod)["spec"]["containers"], (name, number)
    assert seen == set(PLACES) - {"Pod"}

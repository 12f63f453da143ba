"""What each default of the shipped packs writes, and the limits on replicas that only production has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.policy.native import mutating
from pointsman.policy.native.validating import validating
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import MERGE, ApiError
from tests.support.policies import compiled
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]

_API = "pointsman.dev/v1alpha1"
_LABELS = {
    "pointsman.dev/environment": "prod",
    "pointsman.dev/owner": "ada",
    "pointsman.dev/team": "chat",
    "pointsman.dev/cost-center": "4711",
}


@pytest.fixture
def production(admin: Admin, namespace: str) -> Iterator[str]:
    """A namespace of production with an owner, in which every default is set and replicas are held."""
    admin.patch("v1", "Namespace", namespace, {"metadata": {"labels": _LABELS}}, content_type=MERGE)
    packs = [
        {"name": "baseline-security"},
        {"name": "cost"},
        {"name": "observability", "parameters": {"scrapeAnnotations": "true"}},
        {"name": "reliability"},
    ]
    spec = {
        "mode": "enforce",
        "appliesTo": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
    }
    rules = compiled({**spec, "packs": packs}, name=namespace)
    assert rules.problems == ()
    scaling = [one for one in validating(rules, datetime.now(UTC)) if "-scale-" in one["metadata"]["name"]]
    assert scaling
    made = [*mutating(rules), *scaling]
    for manifest in made:
        admin.apply(manifest)
    eventually(lambda: "4711" in str(_dry(admin, namespace, _pod())), 60, "the defaults are set")
    yield namespace
    for manifest in made:
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def test_a_pod_is_filled_in(admin: Admin, production: str) -> None:
    pod = _dry(admin, production, _pod())

    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["topologySpreadConstraints"] == [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"pointsman.dev/deployment": "chat"}},
        }
    ]
    assert pod["metadata"]["labels"] == {
        "pointsman.dev/deployment": "chat",
        "pointsman.dev/owner": "ada",
        "pointsman.dev/team": "chat",
        "pointsman.dev/cost-center": "4711",
    }
    assert pod["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": "9465",
    }


def test_what_a_pod_says_itself_stays(admin: Admin, production: str) -> None:
    own = _pod()
    own["metadata"]["labels"]["pointsman.dev/owner"] = "grace"
    own["metadata"]["annotations"] = {"prometheus.io/scrape": "false"}
    own["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "Unconfined"}}
    own["spec"]["affinity"] = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]
        }
    }

    pod = _dry(admin, production, own)

    assert pod["metadata"]["labels"]["pointsman.dev/owner"] == "grace"
    assert pod["metadata"]["labels"]["pointsman.dev/team"] == "chat"
    assert pod["metadata"]["annotations"] == own["metadata"]["annotations"]
    assert pod["spec"]["securityContext"] == own["spec"]["securityContext"]
    assert "topologySpreadConstraints" not in pod["spec"]


@pytest.mark.parametrize("labels", [None, {"app": "chat"}])
@pytest.mark.parametrize("kind", ["ModelDeployment", "ModelRoute"])
def test_our_own_kinds_get_their_owners_labels_and_nothing_else(
    admin: Admin, production: str, kind: str, labels: dict[str, str] | None
) -> None:
    stated = _deployment() if kind == "ModelDeployment" else _route()
    stated["metadata"].update({"labels": labels} if labels else {})

    made = _dry(admin, production, stated)

    owners = {name: value for name, value in _LABELS.items() if name != "pointsman.dev/environment"}
    assert made["metadata"]["labels"] == {**(labels or {}), **owners}
    assert {name: made["spec"][name] for name in stated["spec"]} == stated["spec"]


def test_replicas_are_held_at_the_scale_subresource(admin: Admin, production: str) -> None:
    """A scale of zero replicas has no field for them, before or after."""
    for name, replicas in (("chat", 3), ("resting", 0)):
        admin.create(_deployment(name, replicas), production)
    eventually(lambda: _scaled(admin, production, "chat", 10_000) != "", 60, "scaling is held")

    said = {
        (name, replicas): re.findall(r"\[([A-Z]+-[0-9]+)\]", _scaled(admin, production, name, replicas))
        for name, replicas in (
            ("chat", 0),
            ("chat", 1),
            ("chat", 2),
            ("chat", 20),
            ("chat", 21),
            ("resting", 1),
            ("resting", 2),
        )
    }

    assert said == {
        ("chat", 0): [],
        ("chat", 1): ["REL-02"],
        ("chat", 2): [],
        ("chat", 20): [],
        ("chat", 21): ["COST-04"],
        ("resting", 1): ["REL-02"],
        ("resting", 2): [],
    }


def _scaled(admin: Admin, namespace: str, name: str, replicas: int) -> str:
    """What the API server says against it; "" if nothing."""
    path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments/{name}/scale"
    change = {"spec": {"replicas": replicas}}
    try:
        admin.request("PATCH", path, change, content_type=MERGE, parameters={"dryRun": "All"})
    except ApiError as error:
        return str(error)
    return ""


def _dry(admin: Admin, namespace: str, manifest: Json) -> Json:
    """What would be kept of it."""
    kind = manifest["kind"]
    base = (
        f"/api/v1/namespaces/{namespace}/pods"
        if kind == "Pod"
        else f"/apis/{_API}/namespaces/{namespace}/{kind.lower()}s"
    )
    found: Json = admin.request("POST", base, manifest, parameters={"dryRun": "All"})
    return found


def _pod() -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "engine", "labels": {"pointsman.dev/deployment": "chat"}},
        "spec": {
            "initContainers": [
                {
                    "name": "agent",
                    "image": "example.com/agent",
                    "restartPolicy": "Always",
                    "ports": [{"name": "agent", "containerPort": 9465}],
                }
            ],
            "containers": [{"name": "engine", "image": "example.com/engine"}],
        },
    }


def _deployment(name: str = "chat", replicas: int = 3) -> Json:
    return {
        "apiVersion": _API,
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"source": "hf://Qwen/Qwen3-32B"},
            "engine": {"name": "vllm"},
            "replicas": replicas,
        },
    }


def _route() -> Json:
    return {
        "apiVersion": _API,
        "kind": "ModelRoute",
        "metadata": {"name": "chat"},
        "spec": {"models": ["chat"], "rules": [{"targets": [{"deployment": "chat"}]}]},
    }

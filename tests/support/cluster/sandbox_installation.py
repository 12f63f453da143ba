"""Pointsman in the sandbox: the whole chart, its programs in pods with the chart's own accounts."""

from __future__ import annotations

from typing import Any, Protocol

from tests.support.chart import render
from tests.support.cluster.admin import Admin
from tests.support.cluster.definitions import install_definitions
from tests.support.polling import eventually

NAMESPACE = "pointsman-system"
GATEWAY_PORT = 8080

# One of each: a second would only show that it can take over, and this machine is small. Slices refuse the
# loopback addresses that pods have here.
VALUES: dict[str, Any] = {
    "operator": {"replicas": 1},
    "gateway": {"replicas": 1, "autoscaling": {"enabled": False}, "endpoints": "Pods"},
    "secretNamespaces": ["default"],
    "crds": {"install": False},
}

_AVAILABLE_SECONDS = 60.0


class Say(Protocol):
    """Tells the user of one more step."""

    def __call__(self, what: str, *, good: bool = True) -> None: ...


def install(admin: Admin, say: Say) -> None:
    """Apply definitions and chart and wait for its Deployments. One that does not come up is only told."""
    install_definitions(admin)
    say("ModelDeployment, ModelRoute and GuardrailPolicy are served")
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    admin.wait_for("v1", "ServiceAccount", "default", NAMESPACE)
    objects = render(VALUES, namespace=NAMESPACE)
    for one in objects:
        admin.apply(one, NAMESPACE)
    names = {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"}
    try:
        eventually(
            lambda: names == _available(admin), _AVAILABLE_SECONDS, "the Deployments are available", 0.2
        )
    except AssertionError:
        for name in sorted(names - _available(admin)):
            say(f"{name} is NOT available: kubectl -n {NAMESPACE} logs deploy/{name}", good=False)
    for name in sorted(names & _available(admin)):
        say(f"{name} is available")


def gateway_url(admin: Admin) -> str:
    """Where a gateway answers; empty where none is ready."""
    labels = "app.kubernetes.io/component=gateway"
    for pod in admin.list("v1", "Pod", NAMESPACE, labels=labels):
        conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
        if conditions.get("Ready") == "True":
            return f"http://{pod['status']['podIP']}:{GATEWAY_PORT}"
    return ""


def _available(admin: Admin) -> set[str]:
    deployments = admin.list("apps/v1", "Deployment", NAMESPACE)
    return {one["metadata"]["name"] for one in deployments if one["status"].get("availableReplicas")}

"""What keeps a ModelDeployment from coming about is over, or stands beside what a user asks for next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.operator.deployments import API, KIND, WORKLOAD, own, take_replicas_twice, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.fake_nodes import make_fake_nodes
from tests.support.cluster.process_node import gpu_labels
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("operator")

Json = dict[str, Any]
H100 = gpu_labels("NVIDIA-H100-80GB-HBM3", memory_mebibytes=81559, count=8)


def on_h100(name: str) -> Json:
    model = {
        "source": "hf://Qwen/Qwen3-8B",
        "revision": "b968826d9c46dd6066d109eabc6255188de91218",
        "contextLength": 4096,
    }
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"model": model, "engine": {"name": "vllm"}, "hardware": {"accelerators": ["H100-SXM"]}},
    }


def test_a_node_that_comes_later_is_found(admin: Admin, namespace: str) -> None:
    admin.create(on_h100("chat"), namespace)
    wait_until(admin, "chat", namespace, Placed=("False", "DoesNotFit"))
    [node] = make_fake_nodes(admin, 1, prefix="late", gpus=8, labels=H100)
    try:
        wait_until(admin, "chat", namespace, Placed=("True", "Placed"))
    finally:
        admin.delete("v1", "Node", node)


def arguments(deployment: Json) -> list[str]:
    [engine] = deployment["spec"]["template"]["spec"]["containers"]
    return list(engine["args"])


def test_a_contested_field_holds_up_no_other_one(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    admin.wait_for(*WORKLOAD, "chat", namespace)
    take_replicas_twice(admin, namespace)
    wait_until(admin, "chat", namespace, Progressing=("False", "FieldContested"))
    admin.patch(API, KIND, "chat", {"spec": {"engine": {"args": ["--mlock"]}}}, namespace)
    found = admin.wait_for(*WORKLOAD, "chat", namespace, until=lambda d: "--mlock" in arguments(dict(d)))
    assert found["spec"]["replicas"] == 8  # theirs still
    wait_until(admin, "chat", namespace, Progressing=("False", "FieldContested"))


@contextmanager
def no_services(admin: Admin, namespace: str) -> Iterator[None]:
    """A namespace in which a quota refuses each Service."""
    hard = {"count/services": "0"}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": hard},
    }
    admin.create(quota, namespace)
    admin.wait_for("v1", "ResourceQuota", "none", namespace, until=lambda one: "hard" in one["status"])
    yield
    admin.delete("v1", "ResourceQuota", "none", namespace)


def reasons(admin: Admin, namespace: str, name: str) -> set[str]:
    found = admin.list("events.k8s.io/v1", "Event", namespace)
    return {one["reason"] for one in found if one["regarding"]["name"] == name}


def test_a_refusal_is_an_event(admin: Admin, namespace: str) -> None:
    with no_services(admin, namespace):
        admin.create(own("chat"), namespace)
        wait_until(admin, "chat", namespace, Progressing=("False", "Refused"))
        eventually(lambda: "Refused" in reasons(admin, namespace, "chat"), 30, "kubectl describe shows it")

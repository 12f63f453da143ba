"""Whether the metrics of engines are there, as their agents tell it: real pods, real agents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.operator.deployments import (
    API,
    GEMMA,
    IMAGE,
    KIND,
    conditions,
    message,
    own,
    wait_until,
)
from tests.integration.real_pods.conftest import START_SECONDS
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, Installation, OperatorProcess

Json = dict[str, Any]


def scripted_vllm(name: str, *missing: str) -> Json:
    """A vLLM that answers and whose metrics page lacks these names."""
    script = {"start_seconds": 0.1, "missing_metrics": missing}
    engine = {
        "name": "vllm",
        "version": "0.33.0",
        "env": [{"name": "ENGINE_SCRIPT", "value": json.dumps(script)}],
    }
    model = {"source": f"oci://{IMAGE}", "contextLength": 2048, "facts": GEMMA}
    return own(name, engine=engine, model=model, hardware={"accelerators": ["L4"]})


@pytest.mark.usefixtures("node")
def test_a_real_engine_has_them_all_and_a_restart_of_the_operator_writes_nothing(
    admin: Admin,
    namespace: str,
    operator: OperatorProcess,
    installation: Installation,
    control_plane: ControlPlane,
) -> None:
    admin.create(own("chat"), namespace)
    found = wait_until(admin, "chat", namespace, START_SECONDS, MetricsAvailable=("True", "Available"))
    assert conditions(found)["Ready"] == ("True", "ReplicasReady")
    metrics = {one["name"]: one for one in found["status"]["engine"]["metrics"]}
    assert metrics["steps_total"] == {
        "name": "steps_total",
        "resolvedTo": "llamacpp:n_decode_total",
        "available": True,
    }
    operator.kill()
    since = control_plane.audit.mark()
    with installation.operator():
        # It has looked at everything once another one is done.
        admin.create(own("after"), namespace)
        wait_until(admin, "after", namespace, START_SECONDS, MetricsAvailable=("True", "Available"))
    written = control_plane.audit.requests(since, user=OPERATOR_USER, writes_only=True)
    assert [one.resource for one in written if one.name == "chat"] == []
    assert admin.get(API, KIND, "chat", namespace)["status"] == found["status"]


@pytest.mark.usefixtures("node", "operator")
def test_a_name_that_is_gone_is_named_and_the_model_serves(admin: Admin, namespace: str) -> None:
    admin.create(scripted_vllm("chat", "vllm:kv_cache_usage_perc"), namespace)
    found = wait_until(admin, "chat", namespace, START_SECONDS, MetricsAvailable=("False", "NamesMissing"))
    assert "vllm 0.33.0 does not have vllm:kv_cache_usage_perc (cache_usage_ratio)" in message(
        found, "MetricsAvailable"
    )
    assert conditions(found)["Ready"] == ("True", "ReplicasReady")
    # Another version of it is told of by its own engines.
    admin.patch(
        API,
        KIND,
        "chat",
        {"spec": {"engine": {"env": scripted_vllm("chat")["spec"]["engine"]["env"]}}},
        namespace,
    )
    wait_until(admin, "chat", namespace, START_SECONDS, MetricsAvailable=("True", "Available"))

"""Which replicas can answer: what EndpointSlices and pods say, one object at a time."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.gateway.cluster.endpoints import ReadyEndpoints, in_pod, in_slice, kept_of_pod
from pointsman.routing import Endpoint
from pointsman.workloads import naming
from tests.support.builders import key

Json = dict[str, Any]
A, B = Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000)


def endpoint(address: str, *, uid: str = "", **conditions: bool) -> Json:
    return {"addresses": [address], "conditions": conditions, **({"targetRef": {"uid": uid}} if uid else {})}


def slice_of(
    *endpoints: Json,
    name: str = "s",
    deployment: str = "a",
    service: str = "",
    family: str = "IPv4",
    port: str = "http",
) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {
                "pointsman.dev/deployment": deployment,
                "kubernetes.io/service-name": service or naming.base_name(deployment),
            },
        },
        "addressType": family,
        "ports": [{"name": "agent", "port": 9465}, {"name": port, "port": 8000}],
        "endpoints": list(endpoints),
    }


SLICES = {
    "ready": ((endpoint("10.0.0.1", ready=True),), (A,)),
    "what is not said means ready": ((endpoint("10.0.0.1"),), (A,)),
    "not ready": ((endpoint("10.0.0.1", ready=False),), ()),
    "ready but leaving": ((endpoint("10.0.0.1", ready=True, terminating=True),), ()),
    "each once, in order": ((endpoint("10.0.0.2"), endpoint("10.0.0.1"), endpoint("10.0.0.1")), (A, B)),
}


@pytest.mark.parametrize(("endpoints", "found"), SLICES.values(), ids=SLICES)
def test_slices(endpoints: tuple[Json, ...], found: tuple[Endpoint, ...]) -> None:
    ready = ReadyEndpoints(in_slice)
    ready.hear(None, slice_of(*endpoints))
    assert ready.by_deployment.get(key("a"), ()) == found


def test_a_slice_of_other_ports_or_of_names_holds_no_replica() -> None:
    assert in_slice(slice_of(endpoint("10.0.0.1"), port="grpc")) == ()
    assert in_slice(slice_of(endpoint("engine.example.com"), family="FQDN")) == ()


def test_a_service_of_somebody_else_with_the_same_label_brings_no_replica() -> None:
    """Its slices have the Service's labels, and its pods need not have any."""
    assert in_slice(slice_of(endpoint("10.0.0.1"), service="b")) == ()
    found = in_slice(slice_of(endpoint("10.0.0.1"), deployment="1.model"))
    assert [one.endpoint for one in found] == [A]


def test_a_pod_with_two_addresses_is_one_replica() -> None:
    ready = ReadyEndpoints(in_slice)
    ready.hear(None, slice_of(endpoint("fd00::1", uid="pod"), name="six", family="IPv6"))
    ready.hear(None, slice_of(endpoint("10.0.0.1", uid="pod"), name="four"))
    assert ready.by_deployment[key("a")] == (A,)


def test_slices_of_one_deployment_add_up_and_go_one_by_one() -> None:
    ready = ReadyEndpoints(in_slice)
    one, two = slice_of(endpoint("10.0.0.1"), name="one"), slice_of(endpoint("10.0.0.2"), name="two")
    assert ready.hear(None, one)
    assert ready.hear(None, two)
    assert ready.by_deployment == {key("a"): (A, B)}
    before = ready.by_deployment
    assert not ready.hear(one, {**one, "metadata": {**one["metadata"], "resourceVersion": "2"}})
    assert ready.by_deployment is before
    assert ready.hear(one, None)
    assert ready.by_deployment == {key("a"): (B,)}
    assert ready.hear(two, slice_of(endpoint("10.0.0.2"), name="two", deployment="b"))
    assert ready.by_deployment == {key("b"): (B,)}
    assert before == {key("a"): (A, B)}


def pod(*, ready: str = "True", role: str = "leader", **metadata: str) -> Json:
    labels = {"pointsman.dev/deployment": "a", "pointsman.dev/role": role}
    ports = [{"name": "http", "containerPort": 8000}]
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "p", "labels": labels, **metadata},
        "spec": {
            "initContainers": [{"ports": ports, "env": [{"name": "TOKEN", "value": "t"}]}],
            "containers": [],
        },
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": ready}]},
    }


PODS = {
    "ready": (pod(), (A,)),
    "not ready": (pod(ready="False"), ()),
    "leaving": (pod(deletionTimestamp="2026-01-01T00:00:00Z"), ()),
    "a worker of a group": (pod(role="worker"), ()),
}


@pytest.mark.parametrize(("obj", "found"), PODS.values(), ids=PODS)
def test_pods(obj: Json, found: tuple[Endpoint, ...]) -> None:
    kept = kept_of_pod(obj)
    assert tuple(one.endpoint for one in in_pod(kept)) == found
    assert "TOKEN" not in str(kept)

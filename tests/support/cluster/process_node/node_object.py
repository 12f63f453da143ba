"""The Node object, its Lease, and the events of a process node, as plain objects. Pure."""

from __future__ import annotations

import platform
from typing import Any

from tests.support.cluster.process_node.settings import NodeSettings

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def node_object(settings: NodeSettings) -> dict[str, Any]:
    """What is registered; the status is written apart."""
    labels = {
        "kubernetes.io/hostname": settings.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture(),
        **settings.labels,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": settings.name, "labels": labels},
        "spec": {"taints": [dict(taint) for taint in settings.taints]},
    }


def architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def resources(settings: NodeSettings) -> dict[str, str]:
    """Capacity, all of which pods may have."""
    found = {
        "cpu": settings.cpu,
        "memory": settings.memory,
        "pods": str(settings.pods),
        "ephemeral-storage": "100Gi",
        **settings.resources,
    }
    return {**found, "nvidia.com/gpu": str(settings.gpus)} if settings.gpus else found


def node_status(settings: NodeSettings, version: str, now: str, port: int) -> dict[str, Any]:
    """A node that is ready and lacks nothing; `port` is where its own API listens."""
    conditions = [
        _condition("Ready", "True", "KubeletReady", "the process node posts its status", now),
        _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "enough memory", now),
        _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "enough disk", now),
        _condition("PIDPressure", "False", "KubeletHasSufficientPID", "enough process ids", now),
    ]
    return {
        "capacity": resources(settings),
        "allocatable": resources(settings),
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": settings.name},
        ],
        "nodeInfo": {
            "machineID": settings.name,
            "systemUUID": settings.name,
            "bootID": settings.name,
            "kernelVersion": platform.release(),
            "osImage": "processes of the test machine",
            "containerRuntimeVersion": "process://1",
            "kubeletVersion": version,
            "kubeProxyVersion": version,
            "operatingSystem": "linux",
            "architecture": architecture(),
        },
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }


def _condition(kind: str, status: str, reason: str, message: str, now: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def lease(settings: NodeSettings, renewed: str) -> dict[str, Any]:
    """The heartbeat; `renewed` has microseconds."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": settings.name, "namespace": "kube-node-lease"},
        "spec": {
            "holderIdentity": settings.name,
            "leaseDurationSeconds": int(settings.lease_seconds),
            "renewTime": renewed,
        },
    }


def pod_event(
    node: str, pod: dict[str, Any], reason: str, message: str, *, warning: bool, now: str
) -> dict[str, Any]:
    """An event about a pod, to be created."""
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "reason": reason,
        "message": message[:1024],
        "type": "Warning" if warning else "Normal",
        "source": {"component": "process-node", "host": node},
        "reportingComponent": "process-node",
        "reportingInstance": node,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }

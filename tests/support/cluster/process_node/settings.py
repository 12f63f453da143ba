"""What a process node is: its name, what it has to offer, and how patient it is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.support.cluster.process_node.images import Image, known_images


def _loopback_network() -> str:
    """One of 49,000 networks: nodes of test runs side by side use the same ports."""
    return f"127.{secrets.randbelow(191) + 64}.{secrets.randbelow(256)}.0/24"


@dataclass(frozen=True)
class NodeSettings:
    """One node. Times are a kubelet's defaults; tests that wait for them set shorter ones."""

    name: str = "process-node"
    cpu: str = field(default_factory=lambda: str(os.cpu_count() or 1))
    memory: str = "32Gi"
    pods: int = 110
    gpus: int = 0
    """Of nvidia.com/gpu; `resources` may name others."""
    resources: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    images: tuple[Image, ...] = field(default_factory=known_images)
    image_volumes: Mapping[str, str] = field(default_factory=dict)
    """Folders of this machine, by the image reference of an `image` volume."""
    mounts: Literal["auto", "namespace", "translated"] = "auto"
    """How containers have their volumes: see `mounts` and `translation`; auto takes the former if it can."""
    pod_network: str = field(default_factory=_loopback_network)
    """Addresses of pods. Loopback needs nothing; any other must be local to this machine."""
    api_server: str = ""
    """Where its pods find the API server, such as a proxy before it; by default where the node does."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of every container, before those that its image and its spec set."""
    lease_seconds: float = 40.0
    heartbeat_seconds: float = 10.0
    longest_probe_period_seconds: float = float("inf")
    """Probes come at least so often, whatever they say: for tests that have no time for real periods. The
    thresholds are as they are, so that the time which they allow becomes shorter too."""
    restart_backoff_seconds: float = 10.0
    restart_backoff_most_seconds: float = 300.0
    pull_backoff_seconds: float = 10.0
    resync_seconds: float = 10.0
    """How soon a missing ConfigMap is looked for again, and a changed one written into its volumes."""


GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
"""What managed clusters put on nodes with GPUs, so that nothing else runs there."""


def gpu_labels(product: str, *, memory_mebibytes: int, count: int, family: str = "") -> dict[str, str]:
    """The labels that NVIDIA's GPU feature discovery puts on a node."""
    labels = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(memory_mebibytes),
        "nvidia.com/gpu.count": str(count),
    }
    return {**labels, "nvidia.com/gpu.family": family} if family else labels

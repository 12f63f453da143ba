"""Whether a node offers pods something else than before, and who waits for that. Pure.

Most of what a node's watch tells is a heartbeat.
"""

from typing import Any

from pointsman.kube.objects import KubeObject, condition_of, labels_of


def offers_something_else(before: KubeObject | None, now: KubeObject | None) -> bool:
    """Whether what fits nowhere may fit now, or what fitted may not. None: there is no such node."""
    return _offer(before) != _offer(now)


def _offer(node: KubeObject | None) -> tuple[Any, ...]:
    if node is None:
        return ()
    spec, status = node.get("spec") or {}, node.get("status") or {}
    amounts = status.get("allocatable") or status.get("capacity")
    return (
        labels_of(node),
        spec.get("taints"),
        spec.get("unschedulable"),
        amounts,
        condition_of(node, "Ready"),
    )


def is_unplaced(deployment: KubeObject) -> bool:
    """Whether the status of a ModelDeployment says that it has no place, for a reason that nodes may end."""
    return condition_of(deployment, "Placed") == "False"

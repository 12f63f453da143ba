"""What a pod was made from: the same for all pods of a template, and another where a pod was changed."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.policy.evidence.pods import deployment_in, pod_in, template_digest

Json = dict[str, Any]


def pod(number: int = 0, *, spec: Json | None = None, container: Json | None = None, **meta: Any) -> Json:
    token = f"kube-api-access-{number}"
    labels = {
        "pointsman.dev/deployment": "chat",
        "pod-template-hash": str(number),
        "leaderworkerset.sigs.k8s.io/group-index": str(number),
    }
    return {
        "metadata": {
            "name": f"chat-{number}",
            "labels": labels,
            "annotations": {"address": str(number)},
            "ownerReferences": [{"kind": "ReplicaSet", "name": str(number), "controller": True}],
            **meta,
        },
        "spec": {
            "nodeName": f"node-{number}",
            "volumes": [{"name": token, "projected": {}}],
            "containers": [
                {
                    "name": "engine",
                    "image": "engine:1",
                    "env": [{"name": "LWS_LEADER_ADDRESS", "value": f"chat-{number}"}],
                    "volumeMounts": [{"name": token, "mountPath": "/token"}],
                    **(container or {}),
                }
            ],
            **(spec or {}),
        },
    }


def test_pods_of_a_template_have_one_digest() -> None:
    assert template_digest(pod(0)) == template_digest(pod(1))


@pytest.mark.parametrize(
    "changed",
    [
        pod(container={"image": "engine:2"}),
        pod(container={"env": [{"name": "LD_PRELOAD", "value": "/tmp/x.so"}]}),
        pod(spec={"ephemeralContainers": [{"name": "shell", "image": "shell"}]}),
        pod(spec={"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}),
        pod(labels={"pointsman.dev/deployment": "chat", "pointsman.dev/role": "worker"}),
        pod(ownerReferences=[{"kind": "Job", "name": "0", "controller": True}]),
        pod(ownerReferences=[]),
    ],
    ids=[
        "image",
        "environment",
        "a shell in it",
        "a volume of the node",
        "role",
        "made by another",
        "by hand",
    ],
)
def test_what_was_changed_has_another(changed: Json) -> None:
    assert template_digest(changed) != template_digest(pod())


def test_names_say_whose_pods_they_are() -> None:
    names = ["chat.v2@0123456789ab", "chat.v2/debug", "chat.v2@0123456789ab-0123456789ab"]
    assert [deployment_in(name) for name in names] == ["chat.v2"] * 3
    assert [pod_in(name) for name in names] == ["", "debug", ""]

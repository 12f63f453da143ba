"""What the chart renders to, kept beside this file, one file a kind of installation.

`UPDATE_GOLDEN=1` writes the files anew: read the difference before committing it.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import render

INSTALLATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "two-namespaces": {
        "watchNamespaces": ["chat", "search"],
        "secretNamespaces": ["chat"],
        "operator": {"replicas": 1},
        "gateway": {"autoscaling": {"enabled": False}, "service": {"type": "LoadBalancer"}},
        "rbac": {"aggregatedRoles": False},
        "fleet": {"gateway": {"names": [{"namespaceSelector": {}, "models": ["chat"]}]}},
    },
    "everything": {
        "image": {"repository": "registry.example.com/pointsman", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "secretNamespaces": ["chat", "search"],
        "fleet": {
            "currency": "EUR",
            "accelerators": [{"name": "L40S", "quota": 8, "pricePerHour": {"onDemand": "1.86"}}],
            "gateway": {
                "names": [{"namespaceSelector": {"matchLabels": {"team": "a"}}, "models": ["team-a/*"]}]
            },
            "guardrails": {"reports": "openreports.io"},
            "evidence": {
                "objectStore": {
                    "url": "s3://audit/fleet",
                    "credentialsFile": "/etc/pointsman-evidence/store.json",
                }
            },
        },
        "operator": {
            "evidence": {"credentialsSecret": "audit-store"},
            "serviceAccount": {
                "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/audit"}
            },
            "podLabels": {"azure.workload.identity/use": "true"},
            "env": {"AWS_REGION": "eu-west-1"},
            "nodeSelector": {"pool": "system"},
            "tolerations": [{"operator": "Exists"}],
            "priorityClassName": "system-cluster-critical",
        },
        "gateway": {
            "nodeSelector": {"pool": "edge"},
            "endpoints": "Pods",
            "service": {"annotations": {"dns": "models.example.com"}},
        },
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
}


@pytest.mark.parametrize("installation", INSTALLATIONS)
def test_render_is_as_kept(installation: str) -> None:
    # The definitions of our kinds have golden files of their own: crds/.
    objects = [
        one for one in render(INSTALLATIONS[installation]) if one["kind"] != "CustomResourceDefinition"
    ]
    now = yaml.safe_dump_all(objects, sort_keys=False, width=110)
    kept = Path(__file__).with_name(f"{installation}.yaml")
    if os.environ.get("UPDATE_GOLDEN") == "1":
        kept.write_text(now, encoding="utf-8")
    assert now == kept.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"

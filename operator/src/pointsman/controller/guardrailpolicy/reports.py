"""What breaks rules in one namespace, as a report of openreports.io or wgpolicyk8s.io. Pure.

Failures alone, and not all of them: reports that hold every verdict have filled etcd elsewhere.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pointsman.api.fleet import ReportsApi
from pointsman.api.guardrailpolicy import LONGEST_VIOLATION
from pointsman.controller.guardrailpolicy.findings import Place
from pointsman.kube.objects import NAMESPACE, POLICY_REPORT, REPORT, Kind, KubeObject
from pointsman.policy.compiled import BoundRule

KINDS = {ReportsApi.OPEN_REPORTS: REPORT, ReportsApi.POLICY_WORKING_GROUP: POLICY_REPORT}
LABELS = {"app.kubernetes.io/managed-by": "pointsman", "app.kubernetes.io/component": "guardrail-policies"}
NAME = "pointsman-guardrail-policies"
MOST_SHOWN = 200
"""Some hundred kilobytes; the summary counts all."""

_SOURCE = "pointsman"


@dataclass(frozen=True)
class Failure:
    """An object that breaks a rule of a policy."""

    policy: str
    rule: BoundRule
    place: Place
    message: str

    @property
    def order(self) -> tuple[str, ...]:
        kind, key = self.place
        return key.name, kind.kind, self.policy, self.rule.id


def report(kind: Kind, namespace: str, failures: Iterable[Failure]) -> KubeObject:
    """The report as it is applied. The same failures give the same one: nothing in it says when."""
    every = list(failures)
    shown = heapq.nsmallest(MOST_SHOWN, every, key=lambda one: one.order)
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": NAME, "namespace": namespace, "labels": LABELS},
        "scope": {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "name": namespace},
        "summary": {"pass": 0, "fail": len(every), "warn": 0, "error": 0, "skip": 0},
        "results": [_result(one) for one in shown],
    }


def _result(failure: Failure) -> dict[str, Any]:
    kind, key = failure.place
    rule = failure.rule
    subject = {"apiVersion": kind.api_version, "kind": kind.kind, "name": key.name}
    if key.namespace:
        subject["namespace"] = key.namespace
    controls = ", ".join(f"{name}:{one}" for name, ids in sorted(rule.controls.items()) for one in ids)
    properties = {"mode": rule.mode.value, **({"controls": controls} if controls else {})}
    return {
        "source": _SOURCE,
        "policy": failure.policy,
        "rule": rule.id,
        **({"category": rule.pack} if rule.pack else {}),
        "severity": rule.severity.value,
        "result": "fail",
        "scored": True,
        "resources": [subject],
        "message": failure.message[:LONGEST_VIOLATION],
        "properties": properties,
    }

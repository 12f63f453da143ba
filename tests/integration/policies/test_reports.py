"""Reports in namespaces, written with the rights that the chart gives for them, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.controller.guardrailpolicy.reports import NAME, report
from pointsman.kube.objects import POLICY_REPORT
from tests.integration.policies.saying import deployment
from tests.support.chart import render
from tests.support.cluster.admin import Admin
from tests.support.cluster.definitions import wait_served
from tests.support.cluster.installation import SYSTEM, Installation
from tests.support.policies import LICENSED, policy_for
from tests.support.polling import eventually
from tests.support.report_definitions import OPEN_REPORTS, POLICY_WORKING_GROUP

Json = dict[str, Any]

_API = "pointsman.dev/v1alpha1"
_REPORT = ("openreports.io/v1alpha1", "Report")


def _rights(fleet: Json) -> Json:
    """The chart's for policies."""
    objects = render({"fleet": fleet}, namespace=SYSTEM)
    (found,) = [
        one
        for one in objects
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == "pointsman-policies"
    ]
    return found


@pytest.fixture
def kinds(admin: Admin, installation: Installation) -> Iterator[None]:
    """Both groups' kinds, and the right to one."""
    for one in (OPEN_REPORTS, POLICY_WORKING_GROUP):
        admin.create(one)
    for one in (OPEN_REPORTS, POLICY_WORKING_GROUP):
        wait_served(admin, one)
    # Other tests change the same role, each by its own name.
    admin.apply(_rights({"guardrails": {"reports": "openreports.io"}}), SYSTEM, force=True)
    yield
    admin.apply(_rights({}), SYSTEM, force=True)
    for one in (OPEN_REPORTS, POLICY_WORKING_GROUP):
        admin.delete(one["apiVersion"], one["kind"], one["metadata"]["name"])


@pytest.mark.usefixtures("kinds")
def test_a_namespace_has_a_report_while_something_in_it_breaks_a_rule(
    admin: Admin, namespace: str, installation: Installation, tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("guardrails: {reports: openreports.io}")
    admin.create(deployment("chat"), namespace)
    admin.create(_policy(namespace))

    with installation.operator(arguments=("--fleet", str(fleet))):
        eventually(lambda: _found(admin, namespace), 90, "the report is written")
        made = admin.get(*_REPORT, NAME, namespace)
        assert made["summary"]["fail"] == 1
        assert made["results"][0]["resources"][0]["name"] == "chat"
        assert [one["manager"] for one in made["metadata"]["managedFields"]] == ["pointsman-operator"]
        admin.create(deployment("code"), namespace)
        eventually(lambda: _failures(admin, namespace) == 2, 60, "both are in it")
        for name in ("chat", "code"):
            admin.patch(_API, "ModelDeployment", name, {"spec": {"license": "mit"}}, namespace)
        eventually(lambda: _found(admin, namespace) is None, 60, "nothing fails, and the report is gone")
        admin.create(deployment("late"), namespace)
        eventually(lambda: _failures(admin, namespace) == 1, 60, "it is back")
        admin.delete(_API, "GuardrailPolicy", namespace)
        eventually(lambda: _found(admin, namespace) is None, 60, "it goes with the policy")

    # The other group takes the same fields: an apply refuses what its schema does not know.
    other = {
        **made,
        "apiVersion": POLICY_REPORT.api_version,
        "kind": POLICY_REPORT.kind,
        "metadata": report(POLICY_REPORT, namespace, [])["metadata"],
    }
    admin.apply(other, namespace)


def _found(admin: Admin, namespace: str) -> Json | None:
    return admin.find(*_REPORT, NAME, namespace)


def _failures(admin: Admin, namespace: str) -> int:
    return int((_found(admin, namespace) or {"summary": {"fail": 0}})["summary"]["fail"])


def _policy(namespace: str) -> Json:
    return policy_for(namespace, mode="warn", rules=[LICENSED])

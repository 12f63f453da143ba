"""What events say of a GuardrailPolicy: exceptions about to end, and who changed what holds its rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import Installation, OperatorProcess
from tests.support.policies import LICENSED, policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

_API = "pointsman.dev/v1alpha1"
_ADMISSION = "admissionregistration.k8s.io/v1"


@pytest.fixture
def policy(admin: Admin, namespace: str, operator: OperatorProcess) -> Iterator[Json]:
    """One rule of the test's namespace, with an exception that ends tomorrow: in force."""
    exception = {
        "id": "EXC-1",
        "rules": ["LIC-1"],
        "match": {"names": ["old"]},
        "until": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "a migration",
        "approvedBy": "security",
    }
    yield admin.create(policy_for(namespace, rules=[LICENSED], exceptions=[exception]))
    admin.delete(_API, "GuardrailPolicy", namespace)


def test_an_exception_that_ends_soon_is_told_once_also_over_a_restart(
    admin: Admin, namespace: str, policy: Json, operator: OperatorProcess, installation: Installation
) -> None:
    until = policy["spec"]["exceptions"][0]["until"]
    said = f"EXC-1 ends at {until}, approved by security: a migration"
    eventually(lambda: _told(admin, namespace)["ExceptionEndsSoon", said] == 1, 60, "it is told")
    status = admin.get(_API, "GuardrailPolicy", namespace)["status"]
    assert status["exceptions"]["endingSoon"] == ["EXC-1"]
    counted = f'pointsman_operator_exceptions_ending{{policy="{namespace}"}} 1.0'
    eventually(lambda: counted in operator.page(), 60, "it is counted")
    operator.kill()
    told = [one for one in _events(admin, namespace) if one["reason"] == "ExceptionEndsSoon"]
    admin.delete("events.k8s.io/v1", "Event", told[0]["metadata"]["name"])

    with installation.operator():
        changed = _change(admin, _native(namespace))
        eventually(lambda: _told(admin, namespace)["PutBack", changed] == 1, 60, "the next one tells events")
    assert _told(admin, namespace)["ExceptionEndsSoon", said] == 0


def test_who_changed_or_deleted_a_native_object_is_told(
    admin: Admin, namespace: str, policy: Json, operator: OperatorProcess
) -> None:
    name = _native(namespace)

    def is_enforced() -> bool:
        status = admin.get(_API, "GuardrailPolicy", namespace).get("status") or {}
        return any(one["reason"] == "Enforced" for one in status.get("conditions", ()))

    eventually(is_enforced, 60, "it is in force")
    assert not [one for one in _events(admin, namespace) if one["reason"] == "PutBack"]
    changed = _change(admin, name)
    eventually(lambda: _told(admin, namespace)["PutBack", changed] == 1, 60, "who changed it is told")

    admin.delete(_ADMISSION, "ValidatingAdmissionPolicyBinding", name)
    deleted = f"ValidatingAdmissionPolicyBinding {name} was deleted and is made again"
    eventually(lambda: _told(admin, namespace)["PutBack", deleted] == 1, 60, "that it was deleted is told")
    assert sum(count for (reason, _), count in _told(admin, namespace).items() if reason == "PutBack") == 2


def _change(admin: Admin, name: str) -> str:
    """What is to be told of it."""
    change = {"metadata": {"name": name}, "spec": {"failurePolicy": "Ignore"}}
    kind = {"apiVersion": _ADMISSION, "kind": "ValidatingAdmissionPolicy"}
    admin.apply({**kind, **change}, manager="somebody-else", force=True)
    return f"ValidatingAdmissionPolicy {name} was changed by somebody-else and is put back"


def _native(policy: str) -> str:
    return f"pointsman-{policy}-modeldeployment-enforce"


def _events(admin: Admin, policy: str) -> list[Json]:
    """About a GuardrailPolicy: such events are kept in the default namespace."""
    found = admin.list("events.k8s.io/v1", "Event", "default")
    return [
        one
        for one in found
        if (one["regarding"].get("kind"), one["regarding"].get("name")) == ("GuardrailPolicy", policy)
    ]


def _told(admin: Admin, policy: str) -> Counter[tuple[str, str]]:
    return Counter((one["reason"], one.get("note", "")) for one in _events(admin, policy))

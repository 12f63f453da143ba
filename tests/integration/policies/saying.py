"""What policies and the API server say, for tests about trouble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.polling import eventually

Json = dict[str, Any]

API = "pointsman.dev/v1alpha1"
ADMISSION = "admissionregistration.k8s.io/v1"


def condition(admin: Admin, policy: str, kind: str) -> Json:
    """A condition of a GuardrailPolicy; {} where it has none."""
    status = admin.get(API, "GuardrailPolicy", policy).get("status") or {}
    return next((one for one in status.get("conditions", ()) if one["type"] == kind), {})


def note_of(admin: Admin, policy: str, naming: str = "") -> str:
    """What a policy says that is enforced, once it names something."""
    found = condition(admin, policy, "Enforced")
    assert found.get("status") == "True", found
    said = str(found["message"])
    assert naming in said, said
    return said


def wait_ready(admin: Admin, policy: str) -> None:
    """Wait until every rule of a policy is in force."""

    def is_ready() -> bool:
        found = admin.get(API, "GuardrailPolicy", policy)
        stated = (found.get("status") or {}).get("conditions") or []
        seen = {one["type"]: (one["status"], one.get("observedGeneration")) for one in stated}
        assert seen.get("Ready") == ("True", found["metadata"]["generation"]), stated
        return True

    eventually(is_ready, 90, f"{policy} is enforced")


def withdraw(admin: Admin, policy: str) -> None:
    """Delete a policy, and wait until what it was brought about with is gone."""
    admin.delete(API, "GuardrailPolicy", policy)
    eventually(lambda: not natives_of(admin, policy), 60, f"the native objects of {policy} went with it")


def natives_of(admin: Admin, policy: str) -> list[Json]:
    """What a policy is brought about with."""
    labels = f"pointsman.dev/guardrail-policy={policy}"
    return [
        {**one, "kind": f"{kind}{end}"}
        for kind in ("ValidatingAdmissionPolicy", "MutatingAdmissionPolicy")
        for end in ("", "Binding")
        for one in admin.list(ADMISSION, f"{kind}{end}", labels=labels)
    ]


def deployment(name: str, *, metadata: Json | None = None, **spec: Any) -> Json:
    """A model that an engine serves."""
    return {
        "apiVersion": API,
        "kind": "ModelDeployment",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"model": {"source": "hf://Qwen/Qwen3-32B"}, "engine": {"name": "vllm"}, **spec},
    }


def refusal(admin: Admin, wanted: Json, namespace: str) -> str:
    """What the API server says against the creation of a ModelDeployment; "" if nothing."""
    path = f"/apis/{API}/namespaces/{namespace}/modeldeployments"
    try:
        admin.request("POST", path, wanted, parameters={"dryRun": "All"})
    except ApiError as error:
        if error.status == 503:  # an API server that has just begun does not find every kind at once
            raise AssertionError(str(error)) from error
        if error.status != 403:
            raise
        return str(error)
    return ""


def said_by(ask: Callable[[], object]) -> str:
    """What the API server says against it; "" if nothing."""
    try:
        ask()
    except ApiError as error:
        return str(error)
    return ""

"""GuardrailPolicies for tests."""

from __future__ import annotations

from typing import Any

from pointsman.api import GuardrailPolicy
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.packs import shipped_library

Json = dict[str, Any]


def guardrail_policy(spec: Json, *, name: str = "house", generation: int = 1) -> GuardrailPolicy:
    """A policy as the API server holds it."""
    return GuardrailPolicy.model_validate(
        {
            "apiVersion": "pointsman.dev/v1alpha1",
            "kind": "GuardrailPolicy",
            "metadata": {"name": name, "uid": f"uid-of-{name}"[:36], "generation": generation},
            "spec": spec,
        },
        extra="ignore",
    )


def compiled(spec: Json, *, name: str = "house") -> Compiled:
    """What it means, with the packs that are shipped."""
    return compile_policy(guardrail_policy(spec, name=name), shipped_library())


def rule(id_: str, **stated: Any) -> Json:
    """A rule of one's own: a license must be stated."""
    return {
        "id": id_,
        "kinds": ["ModelDeployment"],
        "expression": "has(object.spec.license)",
        "message": "it is wrong",
        **stated,
    }


LICENSED = rule("LIC-1", message="no license is stated")


def policy_for(namespace: str, *, name: str = "", mode: str = "enforce", **spec: Any) -> Json:
    """As one writes it, for one namespace, by whose name it goes where no `name` is said."""
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "GuardrailPolicy",
        "metadata": {"name": name or namespace},
        "spec": {"mode": mode, "appliesTo": selector, **spec},
    }

"""The kinds of openreports.io and wgpolicyk8s.io, as far as reports of ours have fields, with their names."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_REFERENCE: Json = {
    "type": "object",
    "properties": dict.fromkeys(("apiVersion", "kind", "namespace", "name", "uid"), _TEXT),
}
_RESULT: Json = {
    "type": "object",
    "required": ["policy"],
    "properties": {
        **dict.fromkeys(("source", "policy", "rule", "category", "message"), _TEXT),
        "severity": {"type": "string", "enum": ["critical", "high", "low", "medium", "info"]},
        "result": {"type": "string", "enum": ["pass", "fail", "warn", "error", "skip"]},
        "scored": {"type": "boolean"},
        "resources": {"type": "array", "items": _REFERENCE},
        "properties": {"type": "object", "additionalProperties": _TEXT},
    },
}
_SCHEMA: Json = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("apiVersion", "kind"), _TEXT),
        "metadata": {"type": "object"},
        "scope": _REFERENCE,
        "summary": {
            "type": "object",
            "properties": {key: {"type": "integer"} for key in ("pass", "fail", "warn", "error", "skip")},
        },
        "results": {"type": "array", "items": _RESULT},
    },
}


def definition(group: str, version: str, kind: str, plural: str) -> Json:
    """A CustomResourceDefinition; both groups have the same fields here."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # Groups below k8s.io are said to be reviewed.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _SCHEMA},
                }
            ],
        },
    }


OPEN_REPORTS = definition("openreports.io", "v1alpha1", "Report", "reports")
POLICY_WORKING_GROUP = definition("wgpolicyk8s.io", "v1alpha2", "PolicyReport", "policyreports")

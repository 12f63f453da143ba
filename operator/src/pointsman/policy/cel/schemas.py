"""What the objects are made of that rules may look at."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import orjson

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.api.crd import definition
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.api.resource import Resource

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
METADATA: Schema = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "uid": _TEXT,
        "generation": {"type": "integer"},
        "creationTimestamp": _TEXT,
        "deletionTimestamp": _TEXT,
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": _TEXT},
        "ownerReferences": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "apiVersion": _TEXT,
                    "kind": _TEXT,
                    "name": _TEXT,
                    "uid": _TEXT,
                    "controller": {"type": "boolean"},
                },
            },
        },
    },
}
NAMESPACE: Schema = {"properties": {"metadata": METADATA}}
JSON_PATCH: Schema = {
    "properties": {"op": _TEXT, "path": _TEXT, "from": _TEXT, "value": {"x-kubernetes-int-or-string": True}}
}
"""One step of what a MutatingAdmissionPolicy does."""
_RESOURCES: Mapping[PolicyKind, type[Resource]] = {
    PolicyKind.MODEL_DEPLOYMENT: ModelDeployment,
    PolicyKind.MODEL_ROUTE: ModelRoute,
}


@cache
def schema_of(kind: PolicyKind) -> Schema:
    """`apiVersion`, `kind`, `metadata` and `spec` of a kind; its status is no matter of admission."""
    spec = _pod_spec() if kind is PolicyKind.POD else openapi_of(kind)["properties"]["spec"]
    return {"properties": {"apiVersion": _TEXT, "kind": _TEXT, "metadata": METADATA, "spec": spec}}


@cache
def openapi_of(kind: PolicyKind) -> Schema:
    """The schema in the definition of one of our own kinds."""
    schema: Schema = definition(_RESOURCES[kind])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _pod_spec() -> Schema:
    text = (resources.files("pointsman.policy") / "cel" / "pod_spec.json").read_bytes()
    spec: Schema = orjson.loads(text)
    return spec

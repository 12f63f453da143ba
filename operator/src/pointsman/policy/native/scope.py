"""Which requests a native policy looks at. A rule must never become an outage.

Changes of the spec alone, and of no object that is being deleted: or a finalizer could not be taken from an
old violator. Pods at their creation alone.
"""

from collections.abc import Sequence
from typing import Any

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.api.meta import DEPLOYMENT_LABEL, GROUP, VERSION
from pointsman.policy.compiled import Compiled
from pointsman.policy.native.selection import namespace_selector

Manifest = dict[str, Any]

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

_PLURALS = {PolicyKind.MODEL_DEPLOYMENT: ModelDeployment.plural, PolicyKind.MODEL_ROUTE: ModelRoute.plural}
_CHANGED = (
    "request.operation == 'CREATE'"
    " || (!has(object.metadata.deletionTimestamp) && object.spec != oldObject.spec)"
)
# A scale of zero replicas says none.
_SCALED = "object.spec.?replicas.orValue(0) != oldObject.spec.?replicas.orValue(0)"


def constraints_of(
    compiled: Compiled, kind: PolicyKind, left_out: Sequence[str], *, is_scale: bool = False
) -> Manifest:
    """`matchConstraints`. `left_out` are namespaces beside the system's."""
    pods = {"matchExpressions": [{"key": DEPLOYMENT_LABEL, "operator": "Exists"}]}
    return {
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespace_selector(compiled.namespaces, (*SYSTEM_NAMESPACES, *left_out)),
        "objectSelector": pods if kind is PolicyKind.POD else {},
        "resourceRules": [_resources(kind, is_scale)],
    }


def conditions_of(kind: PolicyKind, *, is_scale: bool = False) -> list[Manifest]:
    """`matchConditions`."""
    if kind is PolicyKind.POD:
        return []
    return [{"name": "changed", "expression": _SCALED if is_scale else _CHANGED}]


def _resources(kind: PolicyKind, is_scale: bool) -> Manifest:
    if kind is PolicyKind.POD:
        return {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    resource = f"{_PLURALS[kind]}/scale" if is_scale else _PLURALS[kind]
    operations = ["UPDATE"] if is_scale else ["CREATE", "UPDATE"]
    return {"apiGroups": [GROUP], "apiVersions": [VERSION], "operations": operations, "resources": [resource]}

"""Which requests a native policy looks at. A rule must never become an outage.

Changes of the spec alone: or a finalizer could not be taken from an old violator. Also of what is being
deleted, which a finalizer of anybody's can keep for ever. Pods at their creation, and where they become what
was not looked at: a deployment's, by its label, of another image, or with a container to debug it. Other
changes of pods are of schedulers and controllers. Defaults are set in pods at their creation alone, as hardly
a field can be changed later.
"""

from collections.abc import Sequence
from typing import Any

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.api.meta import DEPLOYMENT_LABEL, GROUP, VERSION
from pointsman.policy.compiled import Compiled
from pointsman.policy.native.selection import namespace_selector
from pointsman.policy.parameters import literal

Manifest = dict[str, Any]

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

_PLURALS = {PolicyKind.MODEL_DEPLOYMENT: ModelDeployment.plural, PolicyKind.MODEL_ROUTE: ModelRoute.plural}
_CHANGED = "request.operation == 'CREATE' || object.spec != oldObject.spec"
_LABEL_OF = f"{{object}}.metadata.?labels[?{literal(DEPLOYMENT_LABEL)}].orValue('')"
_DEBUGGING = "pods/ephemeralcontainers"
_IMAGES_OF = (
    "({object}.spec.containers + {object}.spec.?initContainers.orValue([])).map(c, c.?image.orValue(''))"
)
_POD_CHANGED = (
    f"request.operation == 'CREATE' || ({_LABEL_OF.format(object='object')} != ''"
    f" && ({_LABEL_OF.format(object='object')} != {_LABEL_OF.format(object='oldObject')}"
    f" || {_IMAGES_OF.format(object='object')} != {_IMAGES_OF.format(object='oldObject')}"
    " || object.spec.?ephemeralContainers.orValue([]).size()"
    " > oldObject.spec.?ephemeralContainers.orValue([]).size()))"
)
# A scale of zero replicas says none.
_SCALED = "object.spec.?replicas.orValue(0) != oldObject.spec.?replicas.orValue(0)"


def constraints_of(
    compiled: Compiled,
    kind: PolicyKind,
    left_out: Sequence[str],
    *,
    is_scale: bool = False,
    sets: bool = False,
) -> Manifest:
    """`matchConstraints`. `left_out` are namespaces beside the system's; `sets` is of defaults."""
    pods = {"matchExpressions": [{"key": DEPLOYMENT_LABEL, "operator": "Exists"}]}
    return {
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespace_selector(compiled.namespaces, (*SYSTEM_NAMESPACES, *left_out)),
        "objectSelector": pods if kind is PolicyKind.POD else {},
        "resourceRules": [_resources(kind, is_scale, sets)],
    }


def conditions_of(kind: PolicyKind, *, is_scale: bool = False, sets: bool = False) -> list[Manifest]:
    """`matchConditions`."""
    if kind is PolicyKind.POD:
        return [] if sets else [{"name": "changed", "expression": _POD_CHANGED}]
    return [{"name": "changed", "expression": _SCALED if is_scale else _CHANGED}]


def _resources(kind: PolicyKind, is_scale: bool, sets: bool) -> Manifest:
    if kind is PolicyKind.POD:
        when, what = (["CREATE"], ["pods"]) if sets else (["CREATE", "UPDATE"], ["pods", _DEBUGGING])
        return {"apiGroups": [""], "apiVersions": ["v1"], "operations": when, "resources": what}
    resource = f"{_PLURALS[kind]}/scale" if is_scale else _PLURALS[kind]
    operations = ["UPDATE"] if is_scale else ["CREATE", "UPDATE"]
    return {"apiGroups": [GROUP], "apiVersions": [VERSION], "operations": operations, "resources": [resource]}

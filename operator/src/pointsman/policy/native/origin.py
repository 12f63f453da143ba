"""Who may write what the pods of a deployment come of: Pointsman, and Kubernetes' controllers behind it.

Kubernetes' own role `edit` may write Deployments, and a pod's owner references and labels are whatever its
writer states: nothing of a pod alone tells that a ModelDeployment was judged for it. Who may write the status
of ModelDeployments is taken for Pointsman: its own account and those who administer the cluster, no editor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode
from pointsman.api.meta import DEPLOYMENT_LABEL, GROUP
from pointsman.policy.compiled import BoundRule, Compiled
from pointsman.policy.exemptions import Exemption
from pointsman.policy.native.naming import native_metadata
from pointsman.policy.native.scope import Manifest, constraints_of
from pointsman.policy.native.selection import API, selector_as_cel
from pointsman.policy.parameters import literal

_LABEL = f"[?{literal(DEPLOYMENT_LABEL)}].orValue('')"
# Absent where there is none.
_SUBRESOURCE = "request.?subResource.orValue('')"
_OWN = f"dyn({{object}}).?metadata.?labels{_LABEL}"
# Kinds that are matched together have no type in common: each field may be absent.
_OF_TEMPLATE = (
    f"(dyn({{object}}).?spec.?template.?metadata.?labels{_LABEL}"
    f" + dyn({{object}}).?spec.?leaderWorkerTemplate.?workerTemplate.?metadata.?labels{_LABEL}"
    f" + dyn({{object}}).?spec.?leaderWorkerTemplate.?leaderTemplate.?metadata.?labels{_LABEL})"
)
_NEW, _OLD = {"object": "object"}, {"object": "oldObject"}
_BECOMES_OURS = (
    f"({_OWN.format(**_NEW)} != '' && (request.operation == 'CREATE'"
    f" || {_OWN.format(**_NEW)} != {_OWN.format(**_OLD)}))"
)
_WORKLOAD_CHANGES = (
    f"({_OF_TEMPLATE.format(**_NEW)} != '' && (request.operation == 'CREATE'"
    " || dyn(object).?spec != dyn(oldObject).?spec))"
)
_SCALED = (
    f"(dyn(object).?status.?selector.orValue('').contains({literal(DEPLOYMENT_LABEL + '=')})"
    " && dyn(object).?spec.?replicas.orValue(0) != dyn(oldObject).?spec.?replicas.orValue(0))"
)
# What else the operator makes of a deployment: files that engines read, whom gateways ask, whom pods reach.
_KEPT_CHANGES = (
    f"(request.operation != 'CREATE' && {_OWN.format(**_OLD)} != ''"
    " && dyn(oldObject).?metadata.?labels[?'app.kubernetes.io/managed-by'].orValue('') == 'pointsman'"
    " && (request.operation == 'DELETE' || dyn(object).?spec != dyn(oldObject).?spec"
    " || dyn(object).?data != dyn(oldObject).?data || dyn(object).?binaryData != dyn(oldObject).?binaryData))"
)
# An EndpointSlice has the labels of its Service, by which gateways know whose replicas it lists.
_IS_TAKEN_FOR_OURS = (
    f"(request.resource.resource == 'services' && request.operation != 'DELETE' && {_BECOMES_OURS})"
)
_CONCERNED = (
    f"{_SUBRESOURCE} == 'scale' ? {_SCALED}"
    f" : request.resource.resource == 'pods' ? {_BECOMES_OURS}"
    " : request.resource.resource in ['configmaps', 'networkpolicies', 'services']"
    f" ? ({_KEPT_CHANGES} || {_IS_TAKEN_FOR_OURS}) : {_WORKLOAD_CHANGES}"
)
_IS_OURS = (
    f"authorizer.group({literal(GROUP)}).resource('modeldeployments').subresource('status')"
    ".namespace(request.namespace).check('patch').allowed()"
)
# A HorizontalPodAutoscaler, which is anybody's, scales by the subresource alone.
_IS_KUBERNETES = (
    "((request.userInfo.username.startsWith('system:serviceaccount:kube-system:')"
    " || request.userInfo.username == 'system:kube-controller-manager')"
    f" && {_SUBRESOURCE} == '' && !(request.resource.resource in ['deployments', 'leaderworkersets']))"
)
# The controller of LeaderWorkerSets is where its installer put it, which is not the namespace of its groups.
_IS_OF_A_GROUP = (
    f"(request.resource.resource == 'statefulsets' && {_SUBRESOURCE} == ''"
    " && request.userInfo.username.startsWith('system:serviceaccount:')"
    " && !request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')"
    " && dyn(object).?metadata.?ownerReferences.orValue([]).exists(o, o.kind in ['LeaderWorkerSet', 'Pod']))"
)
_WHOSE = (
    "request.operation == 'DELETE' ? dyn(oldObject).metadata.labels"
    f"[{literal(DEPLOYMENT_LABEL)}] : {_SUBRESOURCE} == 'scale' ? ''"
    " : request.resource.resource in ['configmaps', 'networkpolicies', 'pods', 'services']"
    f" ? {_OWN.format(**_NEW)} : {_OF_TEMPLATE.format(**_NEW)}"
)
_WRITES: Final = ("CREATE", "UPDATE")


@dataclass(frozen=True)
class _Resources:
    group: str
    operations: tuple[str, ...]
    names: tuple[str, ...]


_MATCHED = (
    _Resources("", _WRITES, ("pods",)),
    _Resources("", (*_WRITES, "DELETE"), ("services",)),
    _Resources("", ("UPDATE", "DELETE"), ("configmaps",)),
    _Resources("networking.k8s.io", ("UPDATE", "DELETE"), ("networkpolicies",)),
    _Resources("apps", _WRITES, ("deployments", "replicasets", "statefulsets")),
    _Resources("apps", ("UPDATE",), ("deployments/scale", "replicasets/scale", "statefulsets/scale")),
    _Resources("leaderworkerset.x-k8s.io", _WRITES, ("leaderworkersets",)),
)


def origins(
    compiled: Compiled, mode: PolicyMode, exemptions: Sequence[Exemption], left_out: Sequence[str]
) -> tuple[Manifest, ...]:
    """A native policy for each rule of this mode that asks where pods come from; without its binding."""
    return tuple(
        _policy(compiled, rule, number, exemptions, left_out)
        for number, rule in enumerate(one for one in compiled.rules if one.origin and one.mode is mode)
    )


def _policy(
    compiled: Compiled,
    rule: BoundRule,
    number: int,
    exemptions: Sequence[Exemption],
    left_out: Sequence[str],
) -> Manifest:
    suffix = f"origin-{rule.mode.value}" + (f"-{number}" if number else "")
    exempt = [_exempt(one) for one in exemptions if rule.id in one.rules]
    constraints = constraints_of(compiled, PolicyKind.MODEL_DEPLOYMENT, left_out)
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": native_metadata(compiled.name, suffix),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {**constraints, "resourceRules": [_matched(one) for one in _MATCHED]},
            "matchConditions": [{"name": "concerned", "expression": _CONCERNED}],
            "variables": [{"name": "whose", "expression": _WHOSE}],
            "validations": [
                {
                    "expression": " || ".join([_IS_OURS, _IS_KUBERNETES, _IS_OF_A_GROUP, *exempt]),
                    "message": f"[{rule.id}] {rule.origin}",
                    "reason": "Forbidden",
                }
            ],
        },
    }


def _exempt(exemption: Exemption) -> str:
    terms = []
    if exemption.namespaces:
        terms.append(f"request.namespace in {literal(exemption.namespaces)}")
    if exemption.names:
        terms.append(f"variables.whose in {literal(exemption.names)}")
    if exemption.namespace_selector is not None:
        terms.append(selector_as_cel(exemption.namespace_selector))
    return f"({' && '.join(terms) or 'true'})"


def _matched(one: _Resources) -> Manifest:
    return {
        "apiGroups": [one.group],
        "apiVersions": ["*"],
        "operations": list(one.operations),
        "resources": list(one.names),
    }

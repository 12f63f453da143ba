"""What guardrail policies say of objects in files: all of it, where the API server names the first alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from pointsman.api import Finding, GuardrailPolicy, Located, ModelDeployment, ModelRoute, Stated
from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode
from pointsman.policy.admitted import as_admitted
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.packs import shipped_library
from pointsman.policy.verdicts import verdicts

NAME_LABEL = "kubernetes.io/metadata.name"


def compiled_in(objects: Iterable[Located[Stated]]) -> tuple[list[Compiled], list[Finding]]:
    """The policies among the objects, and what is wrong with them."""
    policies, findings = [], []
    for located in objects:
        policy = located.resource
        if not isinstance(policy, GuardrailPolicy):
            continue
        compiled = compile_policy(policy, shipped_library())
        policies.append(compiled)
        stated = Located(policy, located.file, located.document)
        findings += [
            stated.placed(stated.finding((), f"{problem.where}: {problem.what}", problem.todo))
            for problem in compiled.problems
        ]
    return policies, findings


def found_by_policies(
    objects: Iterable[Located[Stated]], policies: Sequence[Compiled], now: datetime
) -> Iterator[Finding]:
    """An error where a policy would refuse the object, a warning where it would only say so.

    Of a namespace its name alone is known here: a policy that chooses by other labels is taken to be for it.
    """
    for located in objects:
        resource = located.resource
        if not isinstance(resource, ModelDeployment | ModelRoute):
            continue
        kind = PolicyKind(resource.kind)
        written = resource.to_document()
        metadata = {**written["metadata"], "namespace": resource.key.namespace}
        obj = as_admitted(kind, {**written, "metadata": metadata})
        namespace = {
            "metadata": {"name": resource.key.namespace, "labels": {NAME_LABEL: resource.key.namespace}}
        }
        mine = [_seen_from(policy) for policy in policies]
        for one in verdicts(mine, kind, obj, namespace, now):
            if one.is_violation:
                yield located.finding(
                    (),
                    one.message,
                    "",
                    rule_id=one.rule.id,
                    severity="error" if one.rule.mode is PolicyMode.ENFORCE else "warning",
                )


def _seen_from(policy: Compiled) -> Compiled:
    """The policy without a choice that a file cannot answer: by other labels than the namespace's name."""
    selector = policy.namespaces
    if selector is None:
        return policy
    keys = {*selector.match_labels, *(term.key for term in selector.match_expressions)}
    return policy if keys == {NAME_LABEL} else replace(policy, namespaces=None)

"""What guardrail policies say of objects in files: all of it, where the API server names the first alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pointsman.api import Finding, GuardrailPolicy, Located, ModelDeployment, ModelRoute, Stated
from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode
from pointsman.api.meta import NAMESPACE_NAME_LABEL
from pointsman.api.nodes import path_of, path_text
from pointsman.errors import PointsmanError
from pointsman.policy.admitted import as_admitted
from pointsman.policy.background import Beside
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.contradictions import Contradictions
from pointsman.policy.packs import shipped_library
from pointsman.policy.verdicts import Verdict, verdicts

_UNSCALED = "reads replicas, and kubectl scale and autoscalers change them without being asked"
_STATE_SCALE = "state scale beside its expression, over object.spec.replicas alone"


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
        findings += [_at_its_field(stated, problem) for problem in compiled.problems]
        findings += [
            located.finding((), f"{rule.id} {_UNSCALED}", _STATE_SCALE, severity="warning")
            for rule in compiled.rules
            if any(check.misses_scales for check in rule.checks.values())
        ]
    return policies, findings


def _at_its_field(stated: Located[GuardrailPolicy], problem: PointsmanError) -> Finding:
    """With the line of the field that it is about, of which the rule's name may be said, too."""
    field, _, more = problem.where.partition(" ")
    path = path_of(field)
    if path_text(path) != field:
        return stated.finding((), f"{problem.where}: {problem.what}", problem.todo)
    if not more:
        return stated.finding(path, problem.what, problem.todo)
    found = stated.finding((), f"{problem.where}: {problem.what}", problem.todo)
    return replace(found, line=stated.line(path))


def ended_in(objects: Iterable[Located[Stated]], now: datetime) -> Iterator[Finding]:
    """A warning for each exception that counts no more."""
    for located in objects:
        if not isinstance(located.resource, GuardrailPolicy):
            continue
        for number, one in enumerate(located.resource.spec.exceptions):
            if one.until.instant <= now:
                yield located.finding(
                    ("spec", "exceptions", number, "until"),
                    f"{one.id} has ended and counts no more",
                    "remove it, or state a later end",
                    severity="warning",
                )


def contradictions_in(
    objects: Iterable[Located[Stated]], policies: Sequence[Compiled], now: datetime
) -> Iterator[Finding]:
    """A warning for each policy among the objects and each that says otherwise of the same rules."""
    known = Contradictions(policies)
    for located in objects:
        if isinstance(located.resource, GuardrailPolicy):
            for line in known.of(located.resource.metadata.name, now):
                yield located.finding((), line, "", severity="warning")


def found_by_policies(
    objects: Iterable[Located[Stated]], policies: Sequence[Compiled], now: datetime
) -> Iterator[Finding]:
    """An error where a policy would refuse the object, a warning where it would only say so."""
    return (finding_of(located, one) for located, one in broken_in(objects, policies, now))


def broken_in(
    objects: Iterable[Located[Stated]], policies: Sequence[Compiled], now: datetime
) -> Iterator[tuple[Located[Stated], Verdict]]:
    """Every violation, with the object that it is found at."""
    mine = [seen_from_a_file(policy) for policy in policies]
    for located, kind, obj, namespace, beside in admitted_in(objects):
        for one in verdicts(mine, kind, obj, namespace, now, beside):
            if one.is_violation:
                yield located, one


def finding_of(located: Located[Stated], broken: Verdict) -> Finding:
    """What is said of a violation."""
    # What is found in the background refuses nothing.
    refuses = broken.rule.mode is PolicyMode.ENFORCE and not broken.rule.background
    return located.finding(
        (), broken.message, "", rule_id=broken.rule.id, severity="error" if refuses else "warning"
    )


Admitted = tuple[Located[Stated], PolicyKind | None, dict[str, Any], dict[str, Any], Beside]


def admitted_in(objects: Iterable[Located[Stated]]) -> Iterator[Admitted]:
    """The objects that rules are for, each as the API server holds it, the Namespace it is in, of which the
    name alone is known here, and what files say of what is beside it. At last the namespaces themselves, each
    told of at its first deployment.
    """
    namespaces: dict[str, tuple[Located[Stated], list[dict[str, Any]]]] = {}
    for located in objects:
        resource = located.resource
        if not isinstance(resource, ModelDeployment | ModelRoute):
            continue
        kind = PolicyKind(resource.kind)
        written = resource.to_document()
        metadata = {**written["metadata"], "namespace": resource.key.namespace}
        obj = as_admitted(kind, {**written, "metadata": metadata})
        if kind is PolicyKind.MODEL_DEPLOYMENT:
            namespaces.setdefault(resource.key.namespace, (located, []))[1].append(obj)
        yield located, kind, obj, _namespace(resource.key.namespace), Beside()
    for name, (located, deployments) in namespaces.items():
        namespace = _namespace(name)
        yield located, None, namespace, namespace, Beside(deployments=tuple(deployments))


def _namespace(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {NAMESPACE_NAME_LABEL: name}}}


def seen_from_a_file(policy: Compiled) -> Compiled:
    """The policy without a choice that a file cannot answer: by other labels than the namespace's name. It is
    taken to be for every object then.
    """
    selector = policy.namespaces
    if selector is None:
        return policy
    keys = {*selector.match_labels, *(term.key for term in selector.match_expressions)}
    return policy if keys == {NAMESPACE_NAME_LABEL} else replace(policy, namespaces=None)

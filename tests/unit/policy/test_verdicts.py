"""What the rules say of one object: every rule, its outcome, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.packs import Library, read_library
from pointsman.policy.verdicts import Outcome, Verdict, verdicts
from tests.support.policies import guardrail_policy, rule

Json = dict[str, Any]

UNTIL = datetime(2027, 1, 31, tzinfo=UTC)
BEFORE = UNTIL - timedelta(days=1)
MODEL = {"metadata": {"name": "old", "namespace": "lab"}, "spec": {"tasks": ["chat"]}}
LICENSED = {**MODEL, "spec": {"license": "mit"}}
PACK = """\
title: Example
description: For tests.
parameters:
  days: {type: integer, default: 3, description: how many days}
"""
RULE = """\
id: EX-01
title: Models are small
severity: high
message: the model is too large
todo: take a smaller one
why: It costs less.
controls: {acme: [A-1]}
source: []
checks:
  ModelDeployment:
    variables:
      size: int(object.metadata.annotations['size'])
      half: variables.size / 2
    when: has(object.metadata.annotations)
    holds: variables.half <= params.days
    found: "'size ' + string(variables.size)"
passes: [{why: small, object: {kind: ModelDeployment}}]
fails: [{why: large, object: {kind: ModelDeployment}}]
"""


def library(text: str = RULE) -> Library:
    return read_library({"example/pack.yaml": PACK, "example/EX-01.yaml": text})


def policy(spec: Json, *, name: str = "house", of: Library | None = None) -> Compiled:
    made = compile_policy(guardrail_policy(spec, name=name), of or library())
    assert made.problems == ()
    return made


def own(*rules: Json, **spec: Any) -> Compiled:
    return policy({"rules": list(rules), **spec})


def packed(text: str = RULE, **parameters: int) -> Compiled:
    return policy({"packs": [{"name": "example", "parameters": parameters}]}, of=library(text))


def exception(*rules: str, **stated: Any) -> Json:
    return {
        "id": "EXC-1",
        "rules": list(rules),
        "match": {"names": ["old"]},
        "until": "2027-01-31T00:00:00Z",
        "reason": "a migration",
        "approvedBy": "security",
        **stated,
    }


def judged(
    *policies: Compiled,
    obj: Json = MODEL,
    kind: PolicyKind = PolicyKind.MODEL_DEPLOYMENT,
    labels: dict[str, str] | None = None,
    now: datetime = BEFORE,
) -> list[Verdict]:
    return verdicts(policies, kind, obj, {"metadata": {"labels": labels or {}}}, now)


def large(size: str) -> Json:
    return {"metadata": {"name": "old", "annotations": {"size": size}}, "spec": {}}


def test_every_rule_that_is_broken_is_told_and_those_that_hold_too() -> None:
    holds = rule("OWN-2", expression="object.metadata.name == 'old'")
    found = judged(own(rule("OWN-1"), holds, rule("OWN-3", expression="has(object.spec.model)")))
    assert [(one.rule.id, one.outcome) for one in found] == [
        ("OWN-1", Outcome.FAIL),
        ("OWN-2", Outcome.PASS),
        ("OWN-3", Outcome.FAIL),
    ]
    assert [one.is_violation for one in found] == [True, False, True]


def test_policies_are_judged_in_their_order_each_by_its_name() -> None:
    first, second = (policy({"rules": [rule("OWN-1")]}, name=name) for name in ("b", "a"))
    assert [one.policy for one in judged(first, second)] == ["b", "a"]


def test_rules_of_other_kinds_say_nothing() -> None:
    assert judged(own(rule("OWN-1")), kind=PolicyKind.MODEL_ROUTE) == []


def test_a_policy_is_for_the_namespaces_that_it_selects() -> None:
    made = own(rule("OWN-1"), appliesTo={"namespaceSelector": {"matchLabels": {"tier": "prod"}}})
    assert judged(made) == []
    assert judged(made, labels={"tier": "lab"}) == []
    assert [one.outcome for one in judged(made, labels={"tier": "prod"})] == [Outcome.FAIL]


def test_rules_see_the_labels_of_the_namespace() -> None:
    made = own(rule("OWN-1", expression="namespaceObject.metadata.labels['tier'] == 'prod'"))
    assert judged(made, labels={"tier": "prod"})[0].outcome is Outcome.PASS
    assert judged(made, labels={"tier": "lab"})[0].outcome is Outcome.FAIL


def test_a_namespace_without_labels_has_none() -> None:
    made = own(rule("OWN-1"))
    bare: list[Json] = [{}, {"metadata": {}}, {"metadata": {"labels": None}}]
    for namespace in bare:
        assert verdicts([made], PolicyKind.MODEL_DEPLOYMENT, MODEL, namespace, BEFORE)[0].is_violation


# Messages


def test_a_violation_says_what_was_found_what_is_wrong_and_what_to_do() -> None:
    (found,) = judged(packed(), obj=large("8"))
    assert found.outcome is Outcome.FAIL
    assert found.message == "size 8: the model is too large; take a smaller one"


def test_without_a_text_for_it_the_message_stands_alone() -> None:
    (found,) = judged(own(rule("OWN-1", message="state  the\nlicense")))
    assert found.message == "state the license"


def test_what_holds_has_no_message() -> None:
    assert judged(own(rule("OWN-1")), obj=LICENSED)[0].message == ""


def test_parameters_and_variables_are_seen() -> None:
    assert judged(packed(days=4), obj=large("8"))[0].outcome is Outcome.PASS
    assert judged(packed(days=3), obj=large("8"))[0].outcome is Outcome.FAIL


def test_a_rule_holds_of_what_it_does_not_apply_to() -> None:
    assert judged(packed())[0].outcome is Outcome.PASS


# Errors


@pytest.mark.parametrize("size", ["", "large", "9" * 30])
def test_a_rule_that_cannot_be_evaluated_is_a_violation_that_says_so(size: str) -> None:
    (found,) = judged(packed(), obj=large(size))
    assert found.outcome is Outcome.ERROR
    assert found.is_violation
    assert found.message.startswith("the rule could not be evaluated: ")


def test_a_field_that_is_not_there_is_such_an_error() -> None:
    (found,) = judged(own(rule("OWN-1", expression="object.spec.model.revision == 'x'")))
    assert found.outcome is Outcome.ERROR


def test_an_error_holds_nothing_of_the_object_but_its_own_words() -> None:
    env = {"env": [{"name": "TOKEN", "value": "hunter2"}], "number": 2**70}

    (found,) = verdicts([own(rule("OWN-1"))], PolicyKind.MODEL_DEPLOYMENT, {"spec": env}, {}, BEFORE)

    assert found.outcome is Outcome.ERROR
    assert "out of range" in found.message
    assert "hunter2" not in found.message
    assert str(2**70) not in found.message


@pytest.mark.parametrize(
    "expression",
    [
        "type(object) == pointsman.objects.object",
        "JSONPatch{op: 'a'}.op == 'a'",
        "pointsman.objects.object{kind: 'a'}.kind == 'a'",
    ],
)
def test_what_only_the_checker_has_a_name_for_does_not_compile(expression: str) -> None:
    stated = rule("OWN-1", expression=expression)

    made = compile_policy(guardrail_policy({"rules": [stated, rule("OWN-2")]}), library())

    assert [one.id for one in made.rules] == ["OWN-2"]
    assert [one.where for one in made.problems] == ["spec.rules[0] (OWN-1)"]
    assert len(verdicts([made], PolicyKind.MODEL_DEPLOYMENT, LICENSED, {}, BEFORE)) == 1


def test_where_what_was_found_cannot_be_said_the_message_stands_alone() -> None:
    text = RULE.replace("'size ' + string(variables.size)", "object.metadata.annotations['colour']")
    (found,) = judged(packed(text), obj=large("8"))
    assert found.outcome is Outcome.FAIL
    assert found.message == "the model is too large; take a smaller one"


def test_a_variable_that_nobody_asks_for_may_fail() -> None:
    text = RULE.replace("holds: variables.half <= params.days", "holds: params.days == 3")
    assert judged(packed(text), obj=large("large"))[0].outcome is Outcome.PASS


def test_an_error_in_one_rule_leaves_the_others_as_they_are() -> None:
    broken = rule("OWN-1", expression="object.spec.model.revision == 'x'")
    assert [one.outcome for one in judged(own(broken, rule("OWN-2")))] == [Outcome.ERROR, Outcome.FAIL]


# Exceptions


def test_an_exception_that_counts_takes_the_violation_and_is_told() -> None:
    (found,) = judged(own(rule("OWN-1"), exceptions=[exception("OWN-1")]))
    assert found.outcome is Outcome.EXEMPT
    assert not found.is_violation
    assert found.message == "it is wrong"
    assert found.exemption is not None
    assert found.exemption.id == "EXC-1"


def test_after_its_end_it_is_a_violation_again() -> None:
    made = own(rule("OWN-1"), exceptions=[exception("OWN-1")])
    assert [one.outcome for one in judged(made, now=UNTIL)] == [Outcome.FAIL]


def test_what_holds_needs_no_exception() -> None:
    (found,) = judged(own(rule("OWN-1"), exceptions=[exception("OWN-1")]), obj=LICENSED)
    assert (found.outcome, found.exemption) == (Outcome.PASS, None)


def test_an_error_can_be_excepted_too() -> None:
    broken = rule("OWN-1", expression="object.spec.model.revision == 'x'")
    assert judged(own(broken, exceptions=[exception("OWN-1")]))[0].outcome is Outcome.EXEMPT


def test_an_exception_of_one_rule_leaves_the_others() -> None:
    found = judged(own(rule("OWN-1"), rule("OWN-2"), exceptions=[exception("OWN-2")]))
    assert [one.outcome for one in found] == [Outcome.FAIL, Outcome.EXEMPT]


def test_the_first_of_several_that_count_is_told() -> None:
    ended = exception("OWN-1", id="EXC-0", until="2026-01-31T00:00:00Z")
    made = own(rule("OWN-1"), exceptions=[ended, exception("OWN-1"), exception("OWN-1", id="EXC-2")])
    (found,) = judged(made)
    assert found.exemption is not None
    assert found.exemption.id == "EXC-1"


def test_an_exception_of_one_policy_does_not_count_in_another() -> None:
    excepted = own(rule("OWN-1"), exceptions=[exception("OWN-1")])
    strict = policy({"rules": [rule("OWN-1")]}, name="strict")
    assert [one.outcome for one in judged(excepted, strict)] == [Outcome.EXEMPT, Outcome.FAIL]


POD_RULE = rule("OWN-1", kinds=["Pod"], expression="has(object.spec.priorityClassName)")


def pod(**labels: str) -> Json:
    return {"metadata": {"name": "old-0", "namespace": "lab", "labels": labels}, "spec": {}}


def test_an_exception_of_a_deployment_is_for_its_pods_and_never_ends_for_them() -> None:
    made = own(POD_RULE, exceptions=[exception("OWN-1")])
    mine = pod(**{"pointsman.dev/deployment": "old"})
    for now in (BEFORE, UNTIL, UNTIL + timedelta(days=365)):
        assert judged(made, obj=mine, kind=PolicyKind.POD, now=now)[0].outcome is Outcome.EXEMPT


def test_a_pods_own_name_is_no_deployments() -> None:
    made = own(POD_RULE, exceptions=[exception("OWN-1", match={"names": ["old-0"]})])
    mine = pod(**{"pointsman.dev/deployment": "old"})
    assert judged(made, obj=mine, kind=PolicyKind.POD)[0].outcome is Outcome.FAIL
    assert judged(made, obj=pod(), kind=PolicyKind.POD)[0].outcome is Outcome.FAIL

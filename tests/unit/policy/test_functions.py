"""Kubernetes' functions in our evaluator."""

from __future__ import annotations

import pytest

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.cel import Broken, EvaluationError, checked
from pointsman.policy.cel.environment import Program
from tests.support.cel_table import TRUE


@pytest.mark.parametrize("expression", TRUE)
def test_it_is_as_the_api_server_has_it(expression: str) -> None:
    checked(PolicyKind.POD, expression, {}, "BOOL", "rule")

    assert Program(expression, {}).value({}, {}) is True


@pytest.mark.parametrize(
    "expression",
    [
        "quantity('x') == quantity('1')",
        "ip('x').family() == 4",
        "semver('1') == semver('1')",
        "[].min() == 1",
    ],
)
def test_what_has_no_value_is_an_error(expression: str) -> None:
    with pytest.raises(EvaluationError):
        Program(expression, {}).value({}, {})


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("object.spec.licence == 'mit'", "undefined field 'licence' not found in object.spec"),
        ("object.spec.replicas > 'a'", "found no matching overload for '_>_'"),
        ("object.spec.replicas", "gives int"),
        ("object.spec.model.adapters.all(a, has(a.revison))", "not found in object.spec.model.adapters"),
        ("nothing()", "undeclared reference to 'nothing'"),
        ("object.spec.", "Syntax error"),
        ("variables.missing", "undeclared reference to 'variables.missing'"),
    ],
)
def test_what_cannot_work_is_said_with_its_place(expression: str, why: str) -> None:
    with pytest.raises(Broken, match=r"spec\.rules\[0\]") as refused:
        checked(PolicyKind.MODEL_DEPLOYMENT, expression, {}, "BOOL", "spec.rules[0]")

    assert why in str(refused.value)
    assert "\n" not in str(refused.value)

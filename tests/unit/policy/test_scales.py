"""Rules of one's own over replicas, as they are asked of a scale."""

from __future__ import annotations

import pytest

from pointsman.policy.cel import program
from pointsman.policy.compiled import BoundCheck
from tests.support.policies import compiled, rule

_NUMBER = "object.spec.?replicas.orValue(0)"


def _check(**stated: str) -> BoundCheck:
    policy = compiled({"rules": [rule("OWN-1", **stated)]})
    assert policy.problems == ()
    (check,) = policy.rules[0].checks.values()
    return check


@pytest.mark.parametrize(
    ("expression", "form"),
    [
        ("object.spec.replicas <= 4", f"{_NUMBER} <= 4"),
        ("has(object.spec.replicas) && object.spec.replicas <= 4", f"true && {_NUMBER} <= 4"),
        ("object.spec.?replicas.orValue(1) <= 4", f"optional.of({_NUMBER}).orValue(1) <= 4"),
        ("object . spec . replicas <= 4", f"{_NUMBER} <= 4"),
        (
            "object.metadata.name == 'object.spec.replicas' || object.spec.replicas < 9",
            f"object.metadata.name == 'object.spec.replicas' || {_NUMBER} < 9",
        ),
    ],
)
def test_what_a_scale_can_answer_is_asked_of_it(expression: str, form: str) -> None:
    check = _check(expression=expression)

    assert (check.scale, check.misses_scales) == (form, False)
    for replicas in ({}, {"replicas": 3}):
        scale = {"metadata": {"name": "chat"}, "spec": replicas}
        assert program(check.scale, {}).value(scale, {}) is True


@pytest.mark.parametrize(
    ("expression", "misses"),
    [
        ("object.spec.tier == 'brain' || object.spec.replicas <= 4", True),
        ("[object].all(one, one.spec.replicas <= 4)", True),
        ("has(object.spec.license)", False),
    ],
)
def test_what_a_scale_cannot_answer_needs_words_of_its_own(expression: str, misses: bool) -> None:
    assert _check(expression=expression) == BoundCheck(expression, {}, misses_scales=misses)
    stated = _check(expression=expression, scale="object.spec.replicas <= 4")
    assert (stated.scale, stated.misses_scales) == (f"{_NUMBER} <= 4", False)


@pytest.mark.parametrize(
    ("scale", "what"),
    [
        ("object.spec.tier == 'x'", "reads object.spec.tier, which a scale does not have"),
        ("object.spec.replicas", "gives int; it must give bool"),
        ("object.spec.replica > 1", "undefined field 'replica' not found in object.spec"),
    ],
)
def test_a_scale_that_is_none_is_said(scale: str, what: str) -> None:
    (problem,) = compiled({"rules": [rule("OWN-1", scale=scale)]}).problems

    assert problem.where == "spec.rules[0] (OWN-1).scale"
    assert what in str(problem)

"""A running API server and `pointsman validate` say the same of the same object, in words that help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.crds.table import CONTEXT, Case, cases
from tests.support.api_samples import valid_documents
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.crds.damage import Damaged, damaged
from tests.support.crds.schema import Constraint, constraints, schema_path
from tests.support.crds.verdicts import (
    Refusal,
    changed_refusal,
    our_refusal,
    server_refusal,
    validate_refusal,
)

pytestmark = pytest.mark.usefixtures("definitions")

Json = Any
CASES = tuple(cases())
KINDS = ("ModelDeployment", "ModelRoute", "GuardrailPolicy")
kinds = pytest.mark.parametrize("kind", KINDS)

SERVER_WORDS = {
    "type": "must be of type",
    "enum": "Unsupported value",
    "pattern": "should match",
    "minLength": "should be at least 1 chars long",
    "maxLength": "may not be more than",
    "minimum": "should be greater than or equal to",
    "maximum": "should be less than or equal to",
    "minItems": "should have at least",
    "maxItems": "must have at most",
    "maxProperties": "must have at most",
    "required": "Required value",
    "unique": "Duplicate value",
    "unknown": "unknown field",
}
"""What the API server says of each keyword of a schema; of a rule it says the rule's own message."""


@pytest.fixture(scope="module")
def said_of_cases(control_plane: ControlPlane, definitions: None) -> Mapping[str, Refusal]:
    """What the API server said of each line of the tables."""
    return {case.line: server_refusal(control_plane.admin, case.document) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_say_what_the_table_says(case: Case, said_of_cases: Mapping[str, Refusal]) -> None:
    server, ours = said_of_cases[case.line], validate_refusal(case.document, CONTEXT)
    assert bool(server) == case.server_refuses, server
    assert bool(ours) == case.validate_refuses, ours
    if case.server_refuses:
        # A rule on the whole object cannot point at its metadata.
        at = "" if case.field == "metadata.name" and "" in server.said else case.field
        assert case.words in server.of(at), server
    if case.validate_refuses:
        assert case.words in ours.at_or_below(case.field), ours


def test_the_table_is_large_enough_and_has_both_verdicts() -> None:
    verdicts = [case.server_refuses for case in CASES]
    assert len(CASES) >= 150
    assert min(verdicts.count(True), verdicts.count(False)) >= 50
    assert len({case.line for case in CASES}) == len(CASES)


@pytest.mark.parametrize("base", ["own", "hosted", "route", "policy"])
def test_a_change_is_judged_as_a_creation_is(base: str, admin: Admin) -> None:
    """An object that is there already is changed into each of the table."""
    of_base = [case for case in CASES if case.line.startswith(f"{base} ")]
    [valid] = (case.document for case in of_base if case.line == f"{base} {{}} -> taken")
    held = admin.create(valid)
    differing = []
    for case in of_base:
        if case.document["metadata"]["name"] == held["metadata"]["name"]:
            refusal = changed_refusal(admin, held, case.document)
            if bool(refusal) != case.server_refuses:
                differing.append((case.line, refusal))
    admin.delete(held["apiVersion"], held["kind"], held["metadata"]["name"])
    admin.wait_gone(held["apiVersion"], held["kind"], held["metadata"]["name"])
    assert differing == []


@dataclass(frozen=True)
class Judged:
    """An object that violates one constraint of a schema, and what is said of it."""

    broken: Damaged
    server: Refusal
    ours: Refusal

    @property
    def server_words(self) -> str:
        constraint = self.broken.constraint
        return str(
            constraint.schema["message"] if constraint.aspect == "rule" else SERVER_WORDS[constraint.aspect]
        )


@pytest.fixture(scope="module")
def judged(control_plane: ControlPlane, definitions: None) -> tuple[Judged, ...]:
    """One for each type, enum, pattern, bound, required field, key of a list, and for unknown fields."""
    found = (damaged(one, of_kind(kind)) for kind in KINDS for one in constraints(kind))
    return tuple(
        Judged(one, server_refusal(control_plane.admin, one.document), our_refusal(one.document))
        for one in found
        if one is not None
    )


def of_kind(kind: str) -> list[Json]:
    return [one for one in valid_documents() if one["kind"] == kind]


def test_whatever_the_schema_asks_both_ask(judged: tuple[Judged, ...]) -> None:
    differing = [
        (str(one.broken.constraint), one.broken.field, one.server.said, one.ours.said)
        for one in judged
        if one.server_words not in one.server.of(one.broken.field)
        or not one.ours.at_or_below(one.broken.field)
    ]
    assert differing == []


@kinds
def test_nothing_that_the_schema_asks_is_without_an_invalid_object(
    kind: str, said_of_cases: Mapping[str, Refusal]
) -> None:
    violated = {
        (schema_path(at), words)
        for case in CASES
        if case.document["kind"] == kind
        for at, texts in said_of_cases[case.line].said.items()
        for words in texts
    }
    without = [
        str(one)
        for one in constraints(kind)
        if damaged(one, of_kind(kind)) is None and not _is_among(violated, one)
    ]
    assert without == []


def _is_among(violated: set[tuple[str, str]], constraint: Constraint) -> bool:
    if constraint.aspect != "rule":
        return False
    # Where a rule cannot be evaluated, the API server points at the record and not at the rule's field.
    places = (constraint.path, constraint.path + constraint.schema.get("fieldPath", ""))
    return any(at in places and constraint.schema["message"] in words for at, words in violated)


@kinds
def test_no_rule_looks_at_what_was_before(kind: str) -> None:
    """Such a rule would need tables of changes; all of ours hold for an object by itself."""
    assert [str(one) for one in constraints(kind) if one.aspect == "rule" and "oldSelf" in one.detail] == []


_PROGRAMMERS_WORDS = re.compile(
    r"\^|\\|\(\?|\[a-z|pydantic|input should|NoneType|traceback|\bdict\b|\bstr\b|\bint\b|\bbool\b",
    re.IGNORECASE,
)


def test_a_newcomer_understands_what_is_said(judged: tuple[Judged, ...]) -> None:
    """One line: what is wrong, and what to do; nobody needs to read an expression or a Python word."""
    refusals = (*(one.ours for one in judged), *(our_refusal(case.document) for case in CASES))
    said = {text for refusal in refusals for texts in refusal.said.values() for text in texts}
    assert [text for text in sorted(said) if not is_clear(text)] == []


def is_clear(text: str) -> bool:
    what, _, todo = text.partition("; ")
    return (
        bool(what and todo) and "\n" not in text and len(text) <= 250 and not _PROGRAMMERS_WORDS.search(text)
    )
